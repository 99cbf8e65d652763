//! Maximum one-to-one matching in a bipartite graph of estimated and reference notes.
//!
//! The algorithm of Hopcroft and Karp, "An n^5/2 algorithm for maximum matchings in bipartite
//! graphs" (1973). The size of a maximum matching is unique, but the matching is not, and the
//! average overlap of matched notes depends on it. Nodes are visited in the order of `mir_eval`, so
//! that overlaps agree too.

use std::collections::HashMap;

/// The edges of an estimated note: the reference notes that it may match.
pub(crate) struct Candidates {
    /// Index of the estimated note.
    pub estimate: usize,
    /// Indices of reference notes, in order of preference.
    pub references: Vec<usize>,
}

const FREE: usize = usize::MAX;

/// Pairs (reference, estimate) of a maximum matching, sorted by reference.
pub(crate) fn maximum_matching(graph: &[Candidates], references: usize) -> Vec<(usize, usize)> {
    // `node` is an index in `graph`; `owner[r]` is the node that reference `r` is matched to.
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

/// How a node of a layer was reached.
#[derive(Clone, Copy)]
enum Reached {
    /// It is unmatched: an augmenting path may end here.
    Start,
    /// Through this reference, which it is matched to.
    Through(usize),
}

/// One phase: augments along disjoint shortest paths. Returns false if there are none.
fn augment(graph: &[Candidates], owner: &mut [usize]) -> bool {
    let mut is_matched = vec![false; graph.len()];
    owner
        .iter()
        .filter(|&&node| node != FREE)
        .for_each(|&node| is_matched[node] = true);
    let mut reached: Vec<Option<Reached>> = is_matched
        .iter()
        .map(|&matched| (!matched).then_some(Reached::Start))
        .collect();
    let mut layer: Vec<usize> = (0..graph.len()).filter(|&node| !is_matched[node]).collect();
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
        reassign(end, &mut before, &mut reached, owner);
    }
    !ends.is_empty()
}

/// A reference whose candidate owners are being tried.
struct Step {
    reference: usize,
    nodes: std::vec::IntoIter<usize>,
    /// The node that is matched to the reference if the search beyond it succeeds.
    trying: usize,
}

/// Searches a path from a free reference back to an unmatched node and shifts the matches along it.
///
/// The search uses an explicit stack: recursion along thousands of close notes would exhaust the
/// thread's.
fn reassign(
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

/// Size of a maximum matching of two sorted lists of times in seconds, in which matched times
/// differ by at most `tolerance_seconds`.
pub(crate) fn matched_times(reference: &[f64], estimate: &[f64], tolerance_seconds: f64) -> usize {
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
    use hitscribe_testing::random::Random;

    use super::*;

    #[test]
    fn a_greedy_match_is_revised_if_another_matches_more() {
        // 1.03 can match both references, 1.08 only the second.
        assert_eq!(matched_times(&[1.00, 1.04], &[1.03, 1.08], 0.05), 2);
        assert_eq!(matched_times(&[1.00, 1.04], &[1.02], 0.05), 1);
        assert_eq!(matched_times(&[], &[1.02], 0.05), 0);
    }

    #[test]
    fn matching_is_maximum_on_small_random_graphs() {
        let mut random = Random(7);
        for _ in 0..500 {
            let (nodes, references) = (random.below(6) as usize, 1 + random.below(5) as usize);
            let graph: Vec<Candidates> = (0..nodes)
                .map(|estimate| Candidates {
                    estimate,
                    references: (0..references).filter(|_| random.below(3) == 0).collect(),
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
    fn a_long_chain_does_not_overflow_the_stack() {
        let reference: Vec<f64> = (0..50_000).map(|i| f64::from(i) * 0.04).collect();
        let estimate: Vec<f64> = reference.iter().map(|t| t + 0.03).collect();
        assert_eq!(matched_times(&reference, &estimate, 0.05), 50_000);
    }
}
