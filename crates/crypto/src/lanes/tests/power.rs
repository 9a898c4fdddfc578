//! The power and the constants of keys against `num-bigint`.

use super::{Random, engine};
use crate::lanes::{
    key::{LaneKey, get, set},
    number::{LIMBS, Number},
    power::{EIGHT, Moduli, Rows, power},
};
use num_bigint::BigUint;

const ROUNDS: usize = 40;

fn bytes(number: &BigUint) -> [u8; 256] {
    let digits = number.to_bytes_be();
    let mut bytes = [0; 256];
    bytes[256 - digits.len()..].copy_from_slice(&digits);
    bytes
}

/// 0, 1, the two highest, one bit, all bits below the modulus, or any.
fn base(random: &mut Random, modulus: &BigUint) -> BigUint {
    match random.below(7) {
        0 => BigUint::ZERO,
        1 => BigUint::from(1u8),
        2 => modulus - 1u8,
        3 => modulus - 2u8,
        4 => BigUint::from(1u8) << random.below(2_047),
        5 => (BigUint::from(1u8) << 2_047) - 1u8,
        _ => BigUint::from_bytes_be(&random.bytes(Random::next)) % modulus,
    }
}

#[test]
fn the_power_is_that_of_num_bigint_in_every_lane() {
    let Some(engine) = engine("the power") else {
        return;
    };
    let mut random = Random::new();
    for round in 0..ROUNDS {
        let moduli: [_; EIGHT] = std::array::from_fn(|_| random.modulus());
        let keys = LaneKey::of_moduli(engine, &moduli);
        let moduli = moduli.map(|modulus| BigUint::from_bytes_be(&modulus));
        let bases: Vec<_> = moduli.iter().map(|n| base(&mut random, n)).collect();
        let (mut rows, mut forms) = (Moduli::zero(), [[0; EIGHT]; LIMBS]);
        let mut inputs: Rows = [[0; EIGHT]; LIMBS];
        for (lane, (key, base)) in keys.iter().zip(&bases).enumerate() {
            key.fill(lane, &mut rows, &mut forms);
            set(&mut inputs, lane, &Number::from_bytes(&bytes(base)));
        }
        let powers = power(engine, &inputs, &forms, &rows);
        for (lane, (modulus, base)) in moduli.iter().zip(&bases).enumerate() {
            let got = get(&powers, lane).reduced(&keys[lane].modulus).to_bytes();
            let expected = base.modpow(&BigUint::from(65_537u32), modulus);
            assert_eq!(
                got,
                bytes(&expected),
                "round {round}, lane {lane}: {base:x} mod {modulus:x}"
            );
        }
    }
}

#[test]
fn the_constants_of_a_key_are_those_of_num_bigint() {
    let Some(engine) = engine("the constants of keys") else {
        return;
    };
    let mut random = Random::new();
    let moduli: Vec<_> = (0..21).map(|_| random.modulus()).collect();
    let keys = LaneKey::of_moduli(engine, &moduli);
    assert_eq!(keys.len(), moduli.len());
    for (key, modulus) in keys.iter().zip(&moduli) {
        let modulus = BigUint::from_bytes_be(modulus);
        let mut forms = [[0; EIGHT]; LIMBS];
        let mut rows = Moduli::zero();
        key.fill(3, &mut rows, &mut forms);
        let expected = (BigUint::from(1u8) << (2 * 2_080)) % &modulus;
        assert_eq!(get(&forms, 3).to_bytes(), bytes(&expected), "{modulus:x}");
        let limb = BigUint::from(1u8) << 52;
        let product = modulus * rows.inverse[3];
        assert_eq!((product + 1u8) % limb, BigUint::ZERO);
    }
}

/// Lanes that nobody asks compute zeros and change no other.
#[test]
fn an_empty_lane_stays_empty() {
    let Some(engine) = engine("an empty lane") else {
        return;
    };
    let zero: Rows = [[0; EIGHT]; LIMBS];
    assert_eq!(power(engine, &zero, &zero, &Moduli::zero()), zero);
}
