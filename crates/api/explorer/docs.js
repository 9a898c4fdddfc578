// Shows /openapi.json, and tries its GET requests at this node.

import { h, table } from "/explorer/dom.js";

const main = document.getElementById("main");
const api = await (await fetch("/openapi.json")).json();

const nameOf = (ref) => ref.split("/").at(-1);
const schemaLink = (name) => h("a", { href: `#${name}` }, name);

/** A schema in words, with links to the named ones. */
function words(schema) {
  if (!schema) return "";
  if (schema.$ref) return schemaLink(nameOf(schema.$ref));
  const choices = (schema.oneOf ?? schema.anyOf ?? schema.allOf)?.filter((one) => one.type !== "null");
  if (choices) return choices.map((one, place) => [place ? (schema.allOf ? " and " : " or ") : "", words(one)]);
  const type = [schema.type].flat().filter((one) => one !== "null").join(" or ");
  if (type === "array") return ["list of ", words(schema.items)];
  const range = schema.maximum === undefined ? "" : ` ${schema.minimum} to ${schema.maximum}`;
  const shape = schema.pattern ? ` ${schema.pattern}` : "";
  return `${type || "any"}${range}${shape}`;
}

function parameterRows(parameters) {
  return parameters.map((parameter) => h("tr", {},
    h("td", {}, h("code", {}, parameter.name)),
    h("td", {}, parameter.in, parameter.required ? ", needed" : ""),
    h("td", {}, words(parameter.schema)),
    h("td", {}, parameter.description ?? "")));
}

function responseRows(responses) {
  return Object.entries(responses).map(([status, response]) => h("tr", {},
    h("td", {}, status === "default" ? "else" : status),
    h("td", {}, Object.entries(response.content ?? {}).map(([kind, { schema }]) => [words(schema), ` as ${kind}`])),
    h("td", {}, response.description)));
}

/** Fields for the parameters, a button, and the answer. */
function trial(path, parameters) {
  const fields = parameters.filter((parameter) => parameter.in !== "header").map((parameter) =>
    [parameter, h("input", { "aria-label": parameter.name, placeholder: parameter.name, class: "field" })]);
  const answer = h("pre", { class: "text", hidden: true });
  const send = async (event) => {
    event.preventDefault();
    const search = new URLSearchParams();
    let url = path;
    for (const [parameter, field] of fields) {
      if (parameter.in === "path") url = url.replace(`{${parameter.name}}`, encodeURIComponent(field.value));
      else if (field.value) search.set(parameter.name, field.value);
    }
    const query = search.size ? `?${search}` : "";
    const response = await fetch(url + query);
    const text = await response.text();
    const json = response.headers.get("content-type")?.includes("json");
    answer.hidden = false;
    answer.textContent = `GET ${url}${query}\n${response.status}\n\n${json ? JSON.stringify(JSON.parse(text), null, 2) : text}`;
  };
  return [h("form", { class: "trial", onsubmit: send }, fields.map(([, field]) => field),
    h("button", { class: "more" }, "Try it")), answer];
}

function operation(path, method, described) {
  const parameters = described.parameters ?? [];
  const body = described.requestBody?.content["application/json"]?.schema;
  const endless = path === "/v1/events";
  return h("section", { class: "card", id: described.operationId },
    h("div", { class: "title" }, h("span", { class: "badge" }, method.toUpperCase()), h("h2", { class: "path" }, path)),
    h("p", {}, described.summary ?? "", described.description ? ` ${described.description}` : ""),
    parameters.length > 0 && table(["Parameter", "In", "Form", ""], parameterRows(parameters)),
    body && h("p", {}, "Body: ", words(body)),
    table(["Status", "Answer", ""], responseRows(described.responses)),
    method === "get" && !endless && trial(path, parameters),
    endless && h("p", { class: "muted" }, "It does not end: follow it with curl -N or EventSource."));
}

function schema(name, described) {
  const needed = new Set(described.required ?? []);
  const rows = Object.entries(described.properties ?? {}).map(([field, form]) => h("tr", {},
    h("td", {}, h("code", {}, field), needed.has(field) ? "" : " ?"),
    h("td", {}, words(form)),
    h("td", {}, form.description ?? "")));
  return h("section", { class: "card", id: name },
    h("h2", {}, name),
    described.description && h("p", { class: "muted" }, described.description),
    rows.length > 0 ? table(["Field", "Form", ""], rows) : h("p", {}, words(described)));
}

const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, described]) => operation(path, method, described)));
main.replaceChildren(
  h("section", { class: "hero" }, h("h1", {}, `HTTP API of ${api.info.title} ${api.info.version}`),
    h("p", { class: "sentence" }, api.info.description)),
  ...operations,
  h("h2", { class: "outside" }, "Forms"),
  ...Object.entries(api.components.schemas).map(([name, described]) => schema(name, described)));
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();
