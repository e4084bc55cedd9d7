package appyaml

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Near returns at most n of the known words, nearest first: those that word is
// the beginning of, or a misspelling of.
func Near(word string, known []string, n int) []string {
	out := slices.DeleteFunc(slices.Clone(known), func(k string) bool {
		return !strings.HasPrefix(k, word) && distance(word, k) > max(1, (len(word)+1)/3)
	})
	slices.SortStableFunc(out, func(a, b string) int {
		return cmp.Compare(distance(word, a), distance(word, b))
	})
	return out[:min(n, len(out))]
}

// hint proposes the known word nearest to an unknown one, if one is near.
func hint(word string, known []string) string {
	best := Near(word, known, 1)
	if len(best) == 0 {
		return ""
	}
	return fmt.Sprintf("; did you mean %q?", best[0])
}

// distance is the number of single-byte edits between a and b (Levenshtein).
// Words longer than any known key are far from all of them.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := diagonal
			if a[i-1] != b[j-1] {
				cost++
			}
			diagonal = row[j]
			row[j] = min(cost, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
