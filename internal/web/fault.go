package web

import (
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// A faultView is a fault as a page shows it.
type faultView struct {
	Explanation string
	Remedy      string
	Who         string   // can put it right
	Others      []string // further causes, each a clause
	Reply       string   // what the server said
	Field       string
	ID          string // of our own mistake, as in the log

	Guide       string // the page of Postroom where the remedy is done step by step; empty: there is none
	GuideButton string
	GuideBeside bool   // it opens in a tab of its own, beside a form that must not be lost
	Page        string // the page of somebody else where it is done; empty: there is none
	PageWords   string
	PageHost    string // whose it is
}

func viewFault(f *postroom.Fault) faultView {
	v := faultView{Explanation: f.Explanation, Remedy: f.Remedy, Who: whoFixes(f), Others: f.Others, Reply: f.Reply, Field: f.Field}
	v.Page, v.PageWords, v.PageHost = outside(f.Link)
	return v
}

// viewMailboxFault is viewFault for a mailbox, kept or as it was typed: it leads to the
// guide of its provider where an app password is what is missing.
func (s *Server) viewMailboxFault(by visitor, f *postroom.Fault, m postroom.Mailbox) faultView {
	v := viewFault(f)
	if !by.IsAdmin() && f.FixBy == postroom.FixByUser && v.Who != "" {
		v.Who = "whoever has this mailbox, together with an administrator of Postroom"
	}
	preset, ok := s.Presets.For(m.Address, m.Incoming.Host)
	if !ok || !wantsAppPassword(f.Class, preset) {
		return v
	}
	if _, ok := preset.Guide(m.Address); ok {
		v.Guide, v.GuideButton, v.GuideBeside = guideAddress(preset.ID, m), "Make an app password", m.ID == 0
	}
	return v
}

// wantsAppPassword says whether a new app password is the likely remedy.
func wantsAppPassword(c postroom.Class, p *provider.Preset) bool {
	switch c {
	case postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff:
		return true
	case postroom.BadCredentials:
		return p.AppPassword.Offered
	}
	return false
}

// guideAddress is the page that leads to an app password for a mailbox.
func guideAddress(provider string, m postroom.Mailbox) string {
	to := url.Values{}
	if m.Address != "" {
		to.Set("address", m.Address)
	}
	if m.ID != 0 {
		to.Set("mailbox", m.ID.String())
	}
	address := "/guides/" + url.PathEscape(provider)
	if len(to) > 0 {
		address += "?" + to.Encode()
	}
	return address
}

// outside returns where a link to somebody else's page leads. Links to anything but
// an HTTPS page are left out: some come from catalogues and from servers.
func outside(l postroom.Link) (address, words, host string) {
	u, err := url.Parse(l.URL)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return "", "", ""
	}
	host = strings.TrimPrefix(u.Hostname(), "www.")
	if words = l.Words; words == "" {
		words, host = host, ""
	}
	return u.String(), words, host
}

// whoFixes says who can do what a fault asks for. That a form is for the one who
// fills it in goes without saying.
func whoFixes(f *postroom.Fault) string {
	switch f.FixBy {
	case postroom.FixByUser:
		switch f.Kind {
		case postroom.NeedsSignIn, postroom.NeedsRepair, postroom.Delayed:
			return "you, or whoever has this mailbox"
		}
	case postroom.FixByMailboxAdmin:
		return "whoever runs the mail server or the mail domain"
	case postroom.FixByAppAdmin:
		return "an administrator of Postroom"
	case postroom.FixByWaiting:
		return "nobody has to do anything"
	}
	return ""
}

// asClause makes a clause fit for the middle of a sentence, and asSentence one fit to
// stand alone.
func asClause(words string) string { return strings.TrimRight(strings.TrimSpace(words), ".") }

func asSentence(words string) string {
	words = asClause(words)
	if words == "" {
		return ""
	}
	first, size := utf8.DecodeRuneInString(words)
	return string(unicode.ToUpper(first)) + words[size:] + "."
}
