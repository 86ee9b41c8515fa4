package web

import (
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A guideOfApp leads to a registration at a provider, beside the form for it.
type guideOfApp struct {
	Provider string
	Ways     []wayLink // more than one where there is a choice
	Way      wayView
}

// A wayLink chooses a way to register.
type wayLink struct {
	Title, When, Address string
	Chosen               bool
}

// A wayView is one way to register an app, as a page shows it.
type wayView struct {
	Title string
	When  string
	Steps []appStepView
	Notes []string
}

// An appStepView is a step of it.
type appStepView struct {
	ID         string
	Title      string
	Paragraphs []string
	Copy       []string
	Field      string // the field of the form that it is about: its id on the page
	FieldWords string // that lead there

	Page, PageWords, PageHost       string
	Checked                         string // the day
	Source, SourceWords, SourceHost string
}

// guideOfApp is the guide beside a form; nil: nothing is known of the provider.
func (s *Server) guideOfApp(f appForm) *guideOfApp {
	guide, ok := s.Presets.AppGuide(f.providerID())
	if !ok || len(guide.Ways) == 0 {
		return nil
	}
	at := slices.IndexFunc(guide.Ways, func(w provider.AppWay) bool { return w.ID == f.Values.Get("way") })
	if at < 0 {
		at = max(0, slices.IndexFunc(guide.Ways, func(w provider.AppWay) bool { return string(w.Kind) == f.kind() }))
	}
	way := guide.Ways[at]
	g := &guideOfApp{Provider: guide.Provider, Way: s.wayView(way, f.Redirect)}
	for _, one := range guide.Ways {
		address := newAppAddress(f.providerID(), f.Return) + "&way=" + url.QueryEscape(one.ID)
		g.Ways = append(g.Ways, wayLink{Title: one.Title, When: one.When, Address: address, Chosen: one.ID == way.ID})
	}
	f.Values.Set("kind", string(way.Kind))
	return g
}

// wayFor is the way to register an app of a kind.
func wayFor(g provider.AppGuide, kind postroom.AppKind) (provider.AppWay, bool) {
	if kind == "" {
		kind = postroom.AppSignIn
	}
	at := slices.IndexFunc(g.Ways, func(w provider.AppWay) bool { return w.Kind == kind })
	if at < 0 {
		return provider.AppWay{}, false
	}
	return g.Ways[at], true
}

func (s *Server) wayView(way provider.AppWay, redirect string) wayView {
	v := wayView{Title: way.Title, When: way.When, Notes: way.Notes}
	for _, step := range way.Steps {
		fill := func(text string) string { return strings.ReplaceAll(text, "{redirect}", redirect) }
		one := appStepView{ID: step.ID, Title: step.Title}
		for _, text := range step.Copy {
			one.Copy = append(one.Copy, fill(text))
		}
		for paragraph := range strings.SplitSeq(fill(step.Text), "\n\n") {
			if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
				one.Paragraphs = append(one.Paragraphs, paragraph)
			}
		}
		if word := fieldWord(step.Field); word != "" {
			one.Field, one.FieldWords = fieldID(step.Field), word
		}
		one.Page, one.PageWords, one.PageHost = outside(step.Link)
		one.Source, one.SourceWords, one.SourceHost = outside(step.Source)
		if !step.Checked.IsZero() {
			one.Checked = step.Checked.Format("2 January 2006")
		}
		v.Steps = append(v.Steps, one)
	}
	return v
}

// fieldWord says where in the form the outcome of a step belongs; empty: nowhere.
func fieldWord(field string) string {
	words := map[string]string{
		"client_id": "Enter it under “Client id”", "client_secret": "Enter it under “Secret”", "tenant": "Enter it under “Tenant”", "issuer": "Enter it under “Issuer”",
		"secret_expires_at": "Enter it under “The secret ends on”", "is_testing": "Say under “This app is in testing” if it is", "scopes": "Enter them under “Scopes”",
		"authorize_url": "Enter it under “Where people sign in”", "token_url": "Enter it under “Where tokens are fetched”",
	}
	return words[field]
}
