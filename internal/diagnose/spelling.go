package diagnose

import "strings"

// Nearest returns the one of known names that was most likely meant by a name that is
// not among them: the fewest letters left out, put in, changed or swapped. ok is false
// where none is near enough to ask "did you mean?", or the name is one of them.
func Nearest(name string, known []string) (meant string, ok bool) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	best := allowed(name) + 1
	for _, k := range known {
		if k == name {
			return "", false
		}
		if length := len(k) - len(name); length > 2 || length < -2 {
			continue
		}
		if d := distance(name, k); d < best {
			best, meant = d, k
		}
	}
	return meant, meant != ""
}

// allowed is how many slips are believed in a name of this length.
func allowed(name string) int {
	switch {
	case len(name) <= 4:
		return 0
	case len(name) <= 8:
		return 1
	}
	return 2
}

// distance counts the slips between two names: letters left out, put in, changed, or
// swapped with their neighbour (optimal string alignment).
func distance(a, b string) int {
	before, last, now := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		now[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			now[j+1] = min(last[j+1]+1, now[j]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				now[j+1] = min(now[j+1], before[j-1]+1)
			}
		}
		before, last, now = last, now, before
	}
	return last[len(b)]
}
