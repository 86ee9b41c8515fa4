package provider

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// LooksLikeAppPassword says whether a secret, as somebody pasted it, has the shape
// of the provider's app passwords. Known is false where they have no shape of their
// own. It is a hint for people, and blocks nothing.
func (p *Preset) LooksLikeAppPassword(secret string) (looks, known bool) {
	if p == nil || p.AppPassword.Shape == nil {
		return false, false
	}
	return p.AppPassword.Shape.MatchString(withoutSeparators(oneLine(secret))), true
}

// NormalForms returns what to try for a secret as somebody pasted it, the most
// likely first: never more than two, none of them empty, and none only for a
// secret without any character. A secret that a provider shows in groups is first
// tried the way in which the provider wants it; what nobody can know is tried as
// it was typed, but for what pasting adds.
func (p *Preset) NormalForms(secret string) []string {
	typed := strings.TrimRight(secret, "\r\n")
	if !utf8.ValidString(secret) {
		return forms(typed) // what these bytes mean, only the server knows
	}
	line := oneLine(secret)
	compact := withoutSeparators(line)
	if looks, known := p.LooksLikeAppPassword(secret); known && looks {
		if p.AppPassword.Blanks == SeparatorsCount {
			return forms(inFours(compact), compact)
		}
		return forms(compact, line)
	}
	separators := SeparatorsUnknown
	if p != nil {
		separators = p.AppPassword.Blanks
	}
	switch {
	case separators == SeparatorsShow && strings.Contains(line, " "):
		return forms(line, compact)
	case separators == SeparatorsUnknown && inGroups(line, " "):
		return forms(compact, line)
	case separators == SeparatorsUnknown && inGroups(line, "-"):
		return forms(line, compact)
	}
	return forms(line, typed)
}

// forms drops what is empty and what is there twice.
func forms(all ...string) []string {
	var kept []string
	for _, f := range all {
		if f != "" && (len(kept) == 0 || f != kept[0]) {
			kept = append(kept, f)
		}
	}
	return kept
}

// oneLine is a secret without what copying from a page adds to it: blanks around
// it, line ends, marks without width, and blanks other than that of the keyboard.
func oneLine(secret string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == '\u00ad' || r == '\ufeff' || r >= '\u200b' && r <= '\u200f' || r >= '\u2060' && r <= '\u2064':
			return -1
		}
		return r
	}, secret), " ")
}

// withoutSeparators is a line without blanks and dashes, also those that a word
// processor makes of them.
func withoutSeparators(line string) string {
	return strings.Map(func(r rune) rune {
		if r == ' ' || r == '-' || r >= '\u2010' && r <= '\u2015' || r == '\u2212' {
			return -1
		}
		return r
	}, line)
}

// inGroups says whether a line is made of at least two groups of letters and
// digits, all of one length, between three and six. That is how app passwords are
// shown, and how hardly anybody writes a password.
func inGroups(line, separator string) bool {
	groups := strings.Split(line, separator)
	length := len(groups[0])
	if len(groups) < 2 || length < 3 || length > 6 {
		return false
	}
	for _, g := range groups {
		if len(g) != length || strings.ContainsFunc(g, isNeitherLetterNorDigit) {
			return false
		}
	}
	return true
}

func isNeitherLetterNorDigit(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// inFours is a secret in groups of four, with dashes between them.
func inFours(compact string) string {
	var groups []string
	for len(compact) > 4 {
		groups, compact = append(groups, compact[:4]), compact[4:]
	}
	return strings.Join(append(groups, compact), "-")
}
