package web

import (
	"net/http"
	"slices"
	"strings"
	"unicode"

	"github.com/postroom/postroom/internal/provider"
)

// A helpPage is where help is looked for.
type helpPage struct {
	frame
	Query     string
	Symptoms  []symptom
	Words     []termView
	Providers []providerLine
}

// A termView is a word and what it means.
type termView struct {
	ID      string // within the page
	Word    string
	Meaning string
	Also    string // what else people call it
}

// showHelp handles GET /help.
func (s *Server) showHelp(w http.ResponseWriter, r *http.Request, by visitor) error {
	p := helpPage{frame: s.frame(by, "Help", "help"), Query: strings.TrimSpace(r.FormValue("q"))}
	for _, x := range symptoms() {
		if has(p.Query, x.Title, x.Words, x.Also, "my mail no longer arrives") {
			p.Symptoms = append(p.Symptoms, x)
		}
	}
	if p.Query != "" {
		p.Words = termsLike(s.Presets.Glossary(), p.Query)
		if p.Providers = s.providersLike(p.Query); len(p.Providers) > maxFoundProviders {
			p.Providers = p.Providers[:maxFoundProviders]
		}
	}
	return s.render(w, r, http.StatusOK, helpView(p))
}

// maxFoundProviders is how many providers a search of the help shows: whoever looks
// for a word that fits all of them looks for something else.
const maxFoundProviders = 8

// A wordsPage is the glossary.
type wordsPage struct {
	frame
	Query string
	Words []termView
}

// showWords handles GET /help/words.
func (s *Server) showWords(w http.ResponseWriter, r *http.Request, by visitor) error {
	p := wordsPage{frame: s.frame(by, "Words", "help"), Query: strings.TrimSpace(r.FormValue("q"))}
	p.Words = termsLike(s.Presets.Glossary(), p.Query)
	return s.render(w, r, http.StatusOK, wordsView(p))
}

// termsLike are the words that a search finds, by the other names that people have for
// them too, those whose name it is first.
func termsLike(terms []provider.Term, query string) (all []termView) {
	var others []termView
	for _, term := range terms {
		v := termView{ID: termID(term.Word), Word: term.Word, Meaning: term.Meaning, Also: strings.Join(term.AlsoKnownAs, ", ")}
		switch {
		case has(query, append([]string{term.Word}, term.AlsoKnownAs...)...):
			all = append(all, v)
		case has(query, term.Word, term.Meaning, v.Also):
			others = append(others, v)
		}
	}
	slices.SortStableFunc(all, func(a, b termView) int { return strings.Compare(strings.ToLower(a.Word), strings.ToLower(b.Word)) })
	return append(all, others...)
}

// termID is the id of a word in the page.
func termID(word string) string {
	return strings.Trim(strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return '-'
	}, word), "-")
}
