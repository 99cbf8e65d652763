//! Maximum one-to-one matching between notes that are close enough to each other.
//!
//! Hopcroft and Karp, "An n^5/2 algorithm for maximum matchings in bipartite graphs" (1973). The size of a maximum
//! matching is unique, the matching itself is not, and the average overlap of matched notes depends on it: the order
//! of visits below is the one that `mir_eval` has, so that overlaps agree too.

use std::collections::HashMap;

/// Edges of one estimated note: the indices of the reference notes it may stand for.
pub(super) struct Candidates {
    /// Index of the estimated note.
    pub estimate: usize,
    /// Indices of reference notes, in order of preference.
    pub references: Vec<usize>,
}

const FREE: usize = usize::MAX;

/// Pairs (reference, estimate) of a maximum matching, sorted by reference.
pub(super) fn maximum_matching(graph: &[Candidates], references: usize) -> Vec<(usize, usize)> {
    // `node` is a position in `graph`, `owner[r]` the node that reference r is given to.
    let mut owner = vec![FREE; references];
    for (node, candidates) in graph.iter().enumerate() {
        if let Some(&reference) = candidates.references.iter().find(|&&r| owner[r] == FREE) {
            owner[reference] = node;
        }
    }
    while augment(graph, &mut owner) {}
    (0..references)
        .filter(|&r| owner[r] != FREE)
        .map(|r| (r, graph[owner[r]].estimate))
        .collect()
}

/// Where a node of a layer was reached from.
#[derive(Clone, Copy)]
enum Reached {
    /// It owns nothing: a path may end here.
    Start,
    /// Through this reference, which it owns.
    Through(usize),
}

/// One phase: shortest augmenting paths that do not touch each other. False when there is none.
fn augment(graph: &[Candidates], owner: &mut [usize]) -> bool {
    let mut owns = vec![false; graph.len()];
    owner
        .iter()
        .filter(|&&node| node != FREE)
        .for_each(|&node| owns[node] = true);
    let mut reached: Vec<Option<Reached>> = owns
        .iter()
        .map(|&o| (!o).then_some(Reached::Start))
        .collect();
    let mut layer: Vec<usize> = (0..graph.len()).filter(|&node| !owns[node]).collect();
    let mut before: HashMap<usize, Vec<usize>> = HashMap::new();
    let mut ends = Vec::new();
    while !layer.is_empty() && ends.is_empty() {
        let mut order: Vec<usize> = Vec::new();
        let mut fresh: HashMap<usize, Vec<usize>> = HashMap::new();
        for &node in &layer {
            for &reference in graph[node]
                .references
                .iter()
                .filter(|r| !before.contains_key(r))
            {
                fresh.entry(reference).or_insert_with(|| {
                    order.push(reference);
                    Vec::new()
                });
                if let Some(nodes) = fresh.get_mut(&reference) {
                    nodes.push(node);
                }
            }
        }
        layer.clear();
        for reference in order {
            if owner[reference] == FREE {
                ends.push(reference);
            } else {
                layer.push(owner[reference]);
                reached[owner[reference]] = Some(Reached::Through(reference));
            }
        }
        before.extend(fresh);
    }
    for &end in &ends {
        give(end, &mut before, &mut reached, owner);
    }
    !ends.is_empty()
}

/// A reference whose possible owners are being tried.
struct Step {
    reference: usize,
    nodes: std::vec::IntoIter<usize>,
    /// The node that gets the reference if the search behind it succeeds.
    trying: usize,
}

/// Walks back from a free reference to a node that owns nothing and shifts the ownership along that path.
///
/// A stack of our own: chains of thousands of close notes must not exhaust the thread's.
fn give(
    end: usize,
    before: &mut HashMap<usize, Vec<usize>>,
    reached: &mut [Option<Reached>],
    owner: &mut [usize],
) {
    let mut enter = |reference| {
        before.remove(&reference).map(|nodes| Step {
            reference,
            nodes: nodes.into_iter(),
            trying: FREE,
        })
    };
    let mut stack: Vec<Step> = enter(end).into_iter().collect();
    while let Some(step) = stack.last_mut() {
        let Some(node) = step.nodes.next() else {
            stack.pop();
            continue;
        };
        let Some(how) = reached[node].take() else {
            continue;
        };
        step.trying = node;
        match how {
            Reached::Start => {
                stack.iter().for_each(|s| owner[s.reference] = s.trying);
                return;
            }
            Reached::Through(reference) => stack.extend(enter(reference)),
        }
    }
}

/// Maximum matching of two sorted lists of times: how many pairs are at most `tolerance_seconds` apart.
pub(super) fn matched_times(reference: &[f64], estimate: &[f64], tolerance_seconds: f64) -> usize {
    let graph: Vec<Candidates> = estimate
        .iter()
        .enumerate()
        .filter_map(|(index, &time)| {
            let first = reference.partition_point(|&r| r < time - tolerance_seconds);
            let end = reference.partition_point(|&r| r <= time + tolerance_seconds);
            (first < end).then(|| Candidates {
                estimate: index,
                references: (first..end).collect(),
            })
        })
        .collect();
    maximum_matching(&graph, reference.len()).len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn greedy_choice_is_revised_when_a_longer_path_pairs_more() {
        // 1.03 reaches both references, 1.08 only the second.
        assert_eq!(matched_times(&[1.00, 1.04], &[1.03, 1.08], 0.05), 2);
        assert_eq!(matched_times(&[1.00, 1.04], &[1.02], 0.05), 1);
        assert_eq!(matched_times(&[], &[1.02], 0.05), 0);
    }

    #[test]
    fn matching_is_maximum_on_small_random_graphs() {
        let mut state = 7u64;
        let mut random = |n: u64| {
            state = state
                .wrapping_mul(6364136223846793005)
                .wrapping_add(1442695040888963407);
            (state >> 33) % n
        };
        for _ in 0..500 {
            let (nodes, references) = (random(6) as usize, 1 + random(5) as usize);
            let graph: Vec<Candidates> = (0..nodes)
                .map(|estimate| Candidates {
                    estimate,
                    references: (0..references).filter(|_| random(3) == 0).collect(),
                })
                .collect();
            let pairs = maximum_matching(&graph, references);
            for &(r, e) in &pairs {
                assert!(graph[e].references.contains(&r));
                assert_eq!(pairs.iter().filter(|p| p.0 == r || p.1 == e).count(), 1);
            }
            assert_eq!(pairs.len(), best(&graph, 0, &mut vec![false; references]));
        }
    }

    fn best(graph: &[Candidates], node: usize, taken: &mut Vec<bool>) -> usize {
        let Some(candidates) = graph.get(node) else {
            return 0;
        };
        let mut most = best(graph, node + 1, taken);
        for &r in &candidates.references {
            if !taken[r] {
                taken[r] = true;
                most = most.max(1 + best(graph, node + 1, taken));
                taken[r] = false;
            }
        }
        most
    }

    #[test]
    fn a_long_chain_does_not_exhaust_the_stack() {
        let reference: Vec<f64> = (0..50_000).map(|i| f64::from(i) * 0.04).collect();
        let estimate: Vec<f64> = reference.iter().map(|t| t + 0.03).collect();
        assert_eq!(matched_times(&reference, &estimate, 0.05), 50_000);
    }
}
