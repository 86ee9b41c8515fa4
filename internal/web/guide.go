package web

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A guidesPage lists the providers that are known.
type guidesPage struct {
	frame
	Query     string
	Providers []providerLine
}

// A providerLine is a provider in a list.
type providerLine struct {
	Name, Address string
	Domains       string
	Words         string // how programs get in there
}

// showGuides handles GET /guides.
func (s *Server) showGuides(w http.ResponseWriter, r *http.Request, by visitor) error {
	p := guidesPage{frame: s.frame(by, "App passwords", "help"), Query: strings.TrimSpace(r.FormValue("q"))}
	p.Providers = s.providersLike(p.Query)
	if len(p.Providers) == 1 && p.Query != "" {
		goTo(w, r, p.Providers[0].Address)
		return nil
	}
	return s.render(w, r, http.StatusOK, guidesView(p))
}

// providersLike are the providers that a search finds, by name or by domain; an
// address finds that of its domain.
func (s *Server) providersLike(query string) (all []providerLine) {
	if _, domain, ok := strings.Cut(query, "@"); ok {
		if preset, ok := s.Presets.ByDomain(domain); ok {
			return []providerLine{lineOf(preset)}
		}
	}
	for _, preset := range s.Presets.All() {
		texts := append([]string{preset.Name, preset.ID}, preset.Domains...)
		if preset.AppPassword.Offered {
			texts = append(texts, "app password", "application-specific password")
		}
		if has(query, texts...) {
			all = append(all, lineOf(preset))
		}
	}
	return all
}

func lineOf(p *provider.Preset) providerLine {
	line := providerLine{Name: p.Name, Address: guideAddress(p.ID, postroom.Mailbox{}), Words: passwordWords(p)}
	domains := p.Domains
	if len(domains) > 4 {
		domains = domains[:4]
	}
	if line.Domains = strings.Join(domains, ", "); len(domains) < len(p.Domains) {
		line.Domains += " …"
	}
	return line
}

// passwordWords say which password a provider takes from programs.
func passwordWords(p *provider.Preset) string {
	_, guided := p.Guide("")
	switch {
	case p.Status == "no_protocols":
		return "Cannot be read by other programs"
	case p.Status == "ended":
		return "Closed"
	case guided && p.AppPassword.Required:
		return "Takes app passwords only"
	case guided && p.AppPassword.WithTwoStep:
		return "Takes app passwords, with two-step verification only these"
	case guided:
		return "Takes app passwords"
	case p.TakesPassword:
		return "Takes the normal password"
	}
	return "Takes no password from programs"
}

// A guidePage leads to an app password at one provider.
type guidePage struct {
	frame
	Guide    provider.Guide
	HasGuide bool
	Words    string // how programs get in, where there is no guide
	Preset   *provider.Preset
	Changes  []changeView
	Steps    []guideStep
	Address  string
	Form     *passwordForm // nil: no mailbox is concerned, or it is not for this visitor
	ToAsk    string        // who can enter a password; empty: the visitor can
	Back     string        // the page of the mailbox; empty: there is none
	BackName string
	Memory   string // under which the browser remembers what is done
}

// A guideStep is a step as the page shows it.
type guideStep struct {
	ID         string
	Title      string
	Paragraphs []string
	Skip       string
	Name       string // to enter there, with the step for it
	Paste      bool

	Page, PageWords, PageHost       string
	Checked                         string // the day; empty: never against a page of the provider
	Source, SourceWords, SourceHost string
}

// showGuide handles GET /guides/{provider}.
func (s *Server) showGuide(w http.ResponseWriter, r *http.Request, by visitor) error {
	preset, ok := s.Presets.ByID(r.PathValue("provider"))
	if !ok {
		return &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "There is no guide of this name.", Remedy: "Look for the provider in the list of guides.",
		}
	}
	p := guidePage{frame: s.frame(by, preset.Name, "help"), Preset: preset, Address: strings.TrimSpace(r.FormValue("address"))}
	if text := r.FormValue("mailbox"); text != "" {
		if err := s.guideMailbox(r, by, &p, text); err != nil {
			return err
		}
	}
	p.Guide, p.HasGuide = guideFor(preset, p.Address)
	p.Words = passwordWords(preset)
	p.Memory = preset.ID + " " + p.Address
	if p.HasGuide {
		p.Title = p.Guide.Title
		p.Steps = guideSteps(p.Guide, p.Form != nil)
	}
	for _, c := range preset.Changes {
		if c.On.After(s.now()) && p.Form == nil {
			p.Changes = append(p.Changes, s.changeView(c))
		}
	}
	return s.render(w, r, http.StatusOK, guideView(p))
}

// guideMailbox has a guide end with the mailbox that it is for.
func (s *Server) guideMailbox(r *http.Request, by visitor, p *guidePage, text string) error {
	id, err := postroom.ParseID[postroom.MailboxID](text)
	if err != nil {
		return err
	}
	m, err := s.seenMailbox(r.Context(), by, id)
	if err != nil {
		return err
	}
	p.Address, p.Back, p.BackName = m.Address, "/mailboxes/"+id.String(), m.Name
	if !by.IsAdmin() {
		p.ToAsk, err = s.administrators(r.Context())
		return err
	}
	form := s.passwordForm(m, p.Preset)
	p.Form = &form
	return nil
}

// guideFor is the guide of a provider for an address, or for none in particular.
func guideFor(p *provider.Preset, address string) (provider.Guide, bool) {
	g, ok := p.Guide(address)
	if !ok || address != "" {
		return g, ok
	}
	words, _ := p.Guide("your mailbox")
	for i := range words.Steps {
		words.Steps[i].Link.URL, words.Steps[i].Source.URL = g.Steps[i].Link.URL, g.Steps[i].Source.URL
	}
	words.Title, words.MailboxName = "An app password at "+words.Provider, "" // there is nothing to copy
	return words, true
}

// guideSteps are the steps as the page shows them; with a form the app password is
// pasted right there.
func guideSteps(g provider.Guide, withForm bool) (all []guideStep) {
	for _, step := range g.Steps {
		if step.ID == "paste" && withForm {
			step.Text = "It is tried at once, and takes the place of the old one only if it works. Everything else stays as it is."
		}
		v := guideStep{ID: step.ID, Title: step.Title, Skip: step.Skip, Paste: step.ID == "paste"}
		for paragraph := range strings.SplitSeq(step.Text, "\n\n") {
			if paragraph = strings.TrimSpace(paragraph); paragraph != "" {
				v.Paragraphs = append(v.Paragraphs, paragraph)
			}
		}
		if step.ID == "name" {
			v.Name = g.MailboxName
		}
		v.Page, v.PageWords, v.PageHost = outside(step.Link)
		v.Source, v.SourceWords, v.SourceHost = outside(step.Source)
		if !step.Checked.IsZero() {
			v.Checked = step.Checked.Format("2 January 2006")
		}
		all = append(all, v)
	}
	if g.AtTheEnd != "" && !slices.ContainsFunc(all, func(v guideStep) bool { return v.ID == "end" }) {
		all = append(all, guideStep{ID: "end", Title: "Later", Paragraphs: []string{g.AtTheEnd}})
	}
	return all
}

// skipWords say when a step can be left out: “Skip this step if it is on already.”
func skipWords(when string) string {
	for _, beginning := range []string{"It ", "You ", "The ", "Your ", "There "} {
		if rest, ok := strings.CutPrefix(when, beginning); ok {
			return "if " + strings.ToLower(beginning) + rest
		}
	}
	return "if " + when
}

// newMailboxAddress is the form for a new mailbox, with the address filled in.
func newMailboxAddress(address string) string {
	if address == "" {
		return "/mailboxes/new"
	}
	return "/mailboxes/new?" + url.Values{"address": {address}}.Encode()
}
