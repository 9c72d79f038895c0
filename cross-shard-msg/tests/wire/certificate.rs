//! A header's certificate: who must sign, what, and for which network (rule R-HDR-2).

use cross_shard_msg::certificate::MAX_CERTIFICATE_SIGNATURES;
use cross_shard_msg::{Certificate, Header, Height, NetworkId, SecretKey, ShardKeys};

use crate::examples::{self, hash};

#[test]
fn a_signed_header_is_its_shards_in_its_network() {
    let keys = ShardKeys::single(examples::secret().public());
    let other = ShardKeys::single(SecretKey::from_seed(&hash(0x12)).public());
    let signed = examples::signed(examples::header());
    assert!(signed.verify(&examples::network(), &keys));
    assert!(!signed.verify(&NetworkId(hash(1)), &keys), "another network");
    assert!(!signed.verify(&examples::network(), &other), "another shard");
    let mut moved = examples::signed(Header { height: Height(42), ..examples::header() });
    moved.certificate = signed.certificate.clone();
    assert!(!moved.verify(&examples::network(), &keys), "another header");
}

#[test]
fn a_quorum_signs_each_once_in_order() {
    let secrets: Vec<_> = (1..=4).map(|seed| SecretKey::from_seed(&hash(seed))).collect();
    let replicas: Vec<_> = secrets.iter().map(SecretKey::public).collect();
    let keys = |quorum| ShardKeys { replicas: replicas.clone(), quorum };
    let digest = hash(9);
    let sign = |replicas: &[usize]| Certificate {
        signatures: replicas
            .iter()
            .map(|&replica| (replica as u32, secrets[replica % 4].sign(&digest)))
            .collect(),
    };
    let steps: [(&str, u32, &[usize], bool); 11] = [
        ("a quorum", 3, &[0, 1, 3], true),
        ("all", 3, &[0, 1, 2, 3], true),
        ("one less", 3, &[0, 1], false),
        ("none", 3, &[], false),
        ("none where none is asked for", 0, &[], false),
        ("one where none is asked for", 0, &[2], true),
        ("one twice", 3, &[0, 1, 1], false),
        ("not ascending", 3, &[1, 0, 3], false),
        ("a replica that is not there", 3, &[0, 1, 4], false),
        ("a quorum and one that is not there", 3, &[0, 1, 2, 7], false),
        ("more asked for than there are", 5, &[0, 1, 2, 3], false),
    ];
    for (name, quorum, replicas, valid) in steps {
        assert_eq!(sign(replicas).verify(&digest, &keys(quorum)), valid, "{name}");
        assert!(!sign(replicas).verify(&hash(8), &keys(quorum)), "{name}, another digest");
    }
    let mut forged = sign(&[0, 1, 2, 3]);
    forged.signatures[3].1.0.0[0] ^= 1;
    assert!(!forged.verify(&digest, &keys(3)), "one wrong signature spoils a quorum");
    let mut moved = sign(&[0, 1, 2]);
    moved.signatures[2].0 = 3;
    assert!(!moved.verify(&digest, &keys(3)), "under another replica's number");
}

#[test]
fn too_many_signatures_are_refused_unchecked() {
    let secret = examples::secret();
    let digest = hash(9);
    let signature = secret.sign(&digest);
    let most = MAX_CERTIFICATE_SIGNATURES as u32;
    let keys = ShardKeys { replicas: vec![secret.public(); most as usize + 1], quorum: 1 };
    let signatures = |count| (0..count).map(|replica| (replica, signature)).collect();
    assert!(Certificate { signatures: signatures(most) }.verify(&digest, &keys));
    assert!(!Certificate { signatures: signatures(most + 1) }.verify(&digest, &keys));
}
