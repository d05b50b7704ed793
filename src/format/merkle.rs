//! The Merkle tree of a transparency log: hashes, inclusion and consistency proofs, made and checked (RFC 9162
//! section 2.1, the same tree as RFC 6962).
//!
//! A proof is checked by computing the root that it implies; whoever asks compares that root with one that a log has
//! signed. [`Tree`] is the other side: it keeps the hashes of the complete subtrees, so that a root or a proof costs
//! the logarithm of the size.

use crate::crypto::digest::sha256;

/// The hash of a leaf or of a node.
pub type Hash = [u8; 32];

/// No tree of less than 2^64 leaves has a longer audit path.
pub const MAX_PROOF_LEN: usize = 64;
/// No consistency proof is longer: RFC 9162 section 2.1.4.1 adds at most one node to a path.
pub const MAX_CONSISTENCY_LEN: usize = MAX_PROOF_LEN + 1;

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MerkleError {
    /// The index is not one of the tree.
    #[error("leaf {index} is not in a tree of {size} leaves")]
    IndexOutOfRange {
        /// The index that was asked for.
        index: u64,
        /// The size of the tree.
        size: u64,
    },
    /// The proof has more or fewer hashes than the sizes demand.
    #[error("the proof has the wrong number of hashes")]
    WrongLength,
    /// The proof leads to another root.
    #[error("the proof leads to another root")]
    RootMismatch,
    /// The older tree is larger than the newer one.
    #[error("a tree of {old} leaves cannot have grown into one of {new}")]
    Shrunk {
        /// The size that was to be the older one.
        old: u64,
        /// The size that was to be the newer one.
        new: u64,
    },
}

/// SHA-256(0x00 || `body`): the prefix keeps a leaf from being passed off as a node.
#[must_use]
pub fn leaf_hash(body: &[u8]) -> Hash {
    let mut input = Vec::with_capacity(body.len() + 1);
    input.push(0);
    input.extend_from_slice(body);
    sha256(&input)
}

/// SHA-256(0x01 || `left` || `right`).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut input = [0; 65];
    input[0] = 1;
    input[1..33].copy_from_slice(left);
    input[33..].copy_from_slice(right);
    sha256(&input)
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_root() -> Hash {
    sha256(&[])
}

/// The root that an audit path implies for the leaf at `index` in a tree of `size` leaves (RFC 9162 section 2.1.3.2).
///
/// # Errors
/// [`MerkleError::IndexOutOfRange`] and [`MerkleError::WrongLength`]; a proof of the right shape always has a root.
pub fn root_of_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash]) -> Result<Hash, MerkleError> {
    // 1. Compare leaf_index with tree_size: an index beyond the tree would be given a path of a smaller tree.
    if index >= size {
        return Err(MerkleError::IndexOutOfRange { index, size });
    }
    // 2. Set fn to leaf_index and sn to tree_size - 1.  3. Set r to hash.
    let (mut node, mut last, mut root) = (index, size - 1, *leaf);
    for sibling in proof {
        // 4.a. If sn is 0 the proof is too long.
        if last == 0 {
            return Err(MerkleError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            // 4.b. A right child, or the ragged edge: skip the levels at which this node has no sibling.
            root = node_hash(sibling, &root);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            root = node_hash(&root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    // 5. sn must be 0 now: else the proof is too short and `root` is some inner node.
    if last == 0 { Ok(root) } else { Err(MerkleError::WrongLength) }
}

/// Check that the leaf at `index` is in the tree of `size` leaves whose root is `root`.
///
/// # Errors
/// [`MerkleError`] when it is not.
pub fn verify_inclusion(index: u64, size: u64, leaf: &Hash, proof: &[Hash], root: &Hash) -> Result<(), MerkleError> {
    match root_of_inclusion(index, size, leaf, proof)? {
        implied if implied == *root => Ok(()),
        _ => Err(MerkleError::RootMismatch),
    }
}

/// Check that the tree of `new_size` begins with all leaves of the tree of `old_size` (RFC 9162 section 2.1.4.2).
///
/// Stops a log from showing one history to one reader and another to the next.
///
/// # Errors
/// [`MerkleError`] when the trees are not shown to be consistent.
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), MerkleError> {
    if old_size > new_size {
        return Err(MerkleError::Shrunk { old: old_size, new: new_size });
    }
    if old_size == new_size || old_size == 0 {
        // Every tree continues the empty one, and itself; there is nothing to prove.
        return match (proof.is_empty(), old_size == 0 || old_root == new_root) {
            (true, true) => Ok(()),
            (true, false) => Err(MerkleError::RootMismatch),
            (false, _) => Err(MerkleError::WrongLength),
        };
    }
    // 1-2. A complete older tree is a node of the newer one, and the proof leaves it out.
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        let (first, rest) = proof.split_first().ok_or(MerkleError::WrongLength)?;
        (first, rest)
    };
    // 3-4. Set fn to first - 1, sn to second - 1, and skip the levels at which fn is a right child.
    let shift = (old_size - 1).trailing_ones();
    let (mut node, mut last) = ((old_size - 1) >> shift, (new_size - 1) >> shift);
    // 5. Both roots start at the first node.
    let (mut old_implied, mut new_implied) = (*first, *first);
    for hash in rest {
        if last == 0 {
            return Err(MerkleError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            old_implied = node_hash(hash, &old_implied);
            new_implied = node_hash(hash, &new_implied);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            new_implied = node_hash(&new_implied, hash);
        }
        node >>= 1;
        last >>= 1;
    }
    // 7. Both roots must come out.
    if last != 0 {
        return Err(MerkleError::WrongLength);
    }
    if old_implied == *old_root && new_implied == *new_root { Ok(()) } else { Err(MerkleError::RootMismatch) }
}

/// A growing tree: the hashes of all complete subtrees, level by level.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// `levels[k][i]` is the root of leaves `i << k .. (i + 1) << k`.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree without leaves.
    #[must_use]
    pub fn new() -> Self {
        Tree::default()
    }

    /// How many leaves there are.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Add a leaf; returns its index.
    pub fn push(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let mut hash = leaf;
        for level in 0.. {
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            let nodes = &mut self.levels[level];
            nodes.push(hash);
            if nodes.len() % 2 == 1 {
                break;
            }
            hash = node_hash(&nodes[nodes.len() - 2], &hash);
        }
        index
    }

    /// The hash of leaf `index`.
    #[must_use]
    pub fn leaf(&self, index: u64) -> Option<&Hash> {
        self.levels.first()?.get(usize::try_from(index).ok()?)
    }

    /// The roots of the complete subtrees of `1 << level` leaves, in order: what the tiles of a log hold.
    #[must_use]
    pub fn level(&self, level: usize) -> &[Hash] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }

    /// The root when the tree had `size` leaves.
    ///
    /// # Errors
    /// [`MerkleError::Shrunk`] when it never had so many.
    pub fn root(&self, size: u64) -> Result<Hash, MerkleError> {
        self.within(size)?;
        Ok(if size == 0 { empty_root() } else { self.subtree(0, size) })
    }

    /// The audit path of leaf `index` in the tree of `size` leaves (RFC 9162 section 2.1.3.1).
    ///
    /// # Errors
    /// [`MerkleError`] when there is no such leaf or the tree never had so many.
    pub fn inclusion_proof(&self, index: u64, size: u64) -> Result<Vec<Hash>, MerkleError> {
        self.within(size)?;
        if index >= size {
            return Err(MerkleError::IndexOutOfRange { index, size });
        }
        let (mut start, mut end, mut path) = (0, size, Vec::new());
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The proof that the tree of `new` leaves continues that of `old` leaves (RFC 9162 section 2.1.4.1).
    ///
    /// # Errors
    /// [`MerkleError::Shrunk`] when `old` is larger than `new` or the tree never had so many.
    pub fn consistency_proof(&self, old: u64, new: u64) -> Result<Vec<Hash>, MerkleError> {
        self.within(new)?;
        if old > new {
            return Err(MerkleError::Shrunk { old, new });
        }
        if old == 0 || old == new {
            return Ok(Vec::new());
        }
        let (mut start, mut end, mut path) = (0, new, Vec::new());
        while old < end {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.subtree(middle, end));
                end = middle;
            } else {
                path.push(self.subtree(start, middle));
                start = middle;
            }
        }
        // The reader has the older root already when that tree is a whole left part of the newer one.
        if start != 0 {
            path.push(self.subtree(start, end));
        }
        path.reverse();
        Ok(path)
    }

    fn within(&self, size: u64) -> Result<(), MerkleError> {
        let have = self.size();
        if size > have { Err(MerkleError::Shrunk { old: size, new: have }) } else { Ok(()) }
    }

    /// The root of the non-empty range `start..end`, which the caller has bounded; complete ranges are looked up.
    fn subtree(&self, start: u64, end: u64) -> Hash {
        let size = end - start;
        if size.is_power_of_two() {
            let level = size.trailing_zeros() as usize;
            return self.levels[level][(start >> level) as usize];
        }
        let middle = start + split(size);
        node_hash(&self.subtree(start, middle), &self.subtree(middle, end))
    }
}

/// The largest power of two smaller than `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 9162 section 2.1.1, word for word.
    fn naive_root(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(split(leaves.len() as u64) as usize);
                node_hash(&naive_root(left), &naive_root(right))
            }
        }
    }

    fn tree(size: u64) -> (Tree, Vec<Hash>) {
        let mut tree = Tree::new();
        let leaves: Vec<Hash> = (0..size).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        for (index, leaf) in leaves.iter().enumerate() {
            assert_eq!(tree.push(*leaf), index as u64);
        }
        (tree, leaves)
    }

    #[test]
    fn roots_are_those_of_the_definition() {
        let (tree, leaves) = tree(70);
        for size in 0..=70 {
            assert_eq!(tree.root(size).unwrap(), naive_root(&leaves[..size as usize]), "{size}");
        }
        assert!(tree.root(71).is_err());
    }

    #[test]
    fn every_leaf_has_a_proof_in_every_tree_and_in_no_other() {
        let (tree, leaves) = tree(40);
        for size in 1..=40 {
            let root = tree.root(size).unwrap();
            for index in 0..size {
                let proof = tree.inclusion_proof(index, size).unwrap();
                let leaf = &leaves[index as usize];
                assert_eq!(verify_inclusion(index, size, leaf, &proof, &root), Ok(()));
                if index + 1 < size {
                    assert!(verify_inclusion(index + 1, size, leaf, &proof, &root).is_err());
                }
                assert!(verify_inclusion(index, size, &leaf_hash(b"another"), &proof, &root).is_err());
                let mut longer = proof.clone();
                longer.push(root);
                assert!(verify_inclusion(index, size, leaf, &longer, &root).is_err());
                for position in 0..proof.len() {
                    let mut broken = proof.clone();
                    broken[position][7] ^= 1;
                    assert_eq!(verify_inclusion(index, size, leaf, &broken, &root), Err(MerkleError::RootMismatch));
                    broken.remove(position);
                    assert!(verify_inclusion(index, size, leaf, &broken, &root).is_err());
                }
            }
            assert!(matches!(root_of_inclusion(size, size, &root, &[]), Err(MerkleError::IndexOutOfRange { .. })));
        }
    }

    #[test]
    fn every_tree_continues_every_smaller_one_and_no_other_history() {
        let (tree, _) = tree(40);
        for new in 0..=40 {
            let new_root = tree.root(new).unwrap();
            for old in 0..=new {
                let old_root = tree.root(old).unwrap();
                let proof = tree.consistency_proof(old, new).unwrap();
                assert_eq!(verify_consistency(old, &old_root, new, &new_root, &proof), Ok(()), "{old} {new}");
                if old != 0 {
                    let forged = leaf_hash(b"fork");
                    assert!(verify_consistency(old, &forged, new, &new_root, &proof).is_err());
                    assert!(verify_consistency(old, &old_root, new, &forged, &proof).is_err());
                }
                let mut longer = proof.clone();
                longer.push(new_root);
                assert!(verify_consistency(old, &old_root, new, &new_root, &longer).is_err());
                for position in 0..proof.len() {
                    let mut broken = proof.clone();
                    broken.remove(position);
                    assert!(verify_consistency(old, &old_root, new, &new_root, &broken).is_err());
                }
            }
        }
        let root = tree.root(5).unwrap();
        assert_eq!(verify_consistency(6, &root, 5, &root, &[]), Err(MerkleError::Shrunk { old: 6, new: 5 }));
    }

    #[test]
    fn numbers_at_the_edge_do_not_overflow() {
        let path = vec![[0; 32]; MAX_PROOF_LEN];
        assert!(root_of_inclusion(0, u64::MAX, &[0; 32], &path).is_ok());
        assert!(root_of_inclusion(u64::MAX, u64::MAX, &[0; 32], &path).is_err());
        assert!(verify_consistency(u64::MAX - 1, &[0; 32], u64::MAX, &[0; 32], &path).is_err());
    }
}
