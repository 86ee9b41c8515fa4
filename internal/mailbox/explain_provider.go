package mailbox

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/idna"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/provider"
)

// know adds to a failure what is known about the provider, and about c there.
func know(f *diagnose.Failure, p *provider.Preset, c Credential) {
	f.Provider, f.ProviderName = p.ID, firstName(p.Name)
	f.AppPasswordRequired = p.AppPassword.Required
	f.NoAppPasswords = !p.AppPassword.Offered
	f.NoPasswords = !p.TakesPassword && !p.AppPassword.Offered && p.OAuth != nil && !(f.Protocol == postroom.SMTP && p.TakesPasswordToSend)
	if !c.Password.IsEmpty() {
		if looks, known := p.LooksLikeAppPassword(c.Password.Reveal()); known {
			f.SecretLooksLikeAppPassword = &looks
		}
	}
	f.Links = map[postroom.Class]postroom.Link{}
	link := func(words, url string, classes ...postroom.Class) {
		for _, class := range classes {
			if _, ok := f.Links[class]; !ok && url != "" {
				f.Links[class] = postroom.Link{Words: fmt.Sprintf(words, f.ProviderName), URL: url}
			}
		}
	}
	aboutAppPasswords := []postroom.Class{postroom.AppPasswordRequired, postroom.AccountPasswordPasted}
	if f.AppPasswordRequired {
		aboutAppPasswords = append(aboutAppPasswords, postroom.BadCredentials)
	}
	link(pageForAppPasswords, p.AppPassword.MakeURL, aboutAppPasswords...)
	link(helpWithAppPasswords, p.AppPassword.HelpURL, append(aboutAppPasswords, postroom.TwoStepOff)...)
	link(pageOfSettings, p.EnableFirst.URL, postroom.IMAPDisabled, postroom.POPDisabled, postroom.SMTPAuthDisabled)
}

// The words of links; %s is the provider.
const (
	pageForAppPasswords  = "%s: make an app password"
	helpWithAppPasswords = "%s: help with app passwords"
	pageOfSettings       = "%s: settings for mail programs"
)

// firstName is the name of a provider without what tells its branches apart.
func firstName(name string) string {
	name, _, _ = strings.Cut(name, " (")
	name, _, _ = strings.Cut(name, " / ")
	return name
}

// meant is the server that was probably meant by the incoming server of m, which DNS
// does not know; empty: nobody can say.
func (x Explainer) meant(m postroom.Mailbox) string {
	host := asRead(m.Incoming.Host)
	servers, domains := x.presets().Names()
	if slices.Contains(servers, host) {
		return ""
	}
	_, own, _ := strings.Cut(m.Address, "@")
	own = asRead(own)
	if first, _, ok := strings.Cut(host, "."); ok && own != "" {
		servers = append(servers, first+"."+own) // the right word before the own domain
	}
	for _, prefix := range []string{"imap.", "pop.", "pop3.", "smtp.", "mail."} {
		servers = append(servers, prefix+own)
	}
	if near, ok := diagnose.Nearest(host, servers); ok {
		return near
	}
	for rest := host; strings.Contains(rest, "."); _, rest, _ = strings.Cut(rest, ".") {
		domain, near := diagnose.Nearest(rest, domains)
		if !near {
			domain = rest // a server that the provider does not have
		}
		if server := x.serverOf(domain, m.Incoming.Protocol); server != "" && server != host {
			return server
		}
	}
	if server := x.serverOf(own, m.Incoming.Protocol); server != host {
		return server
	}
	return ""
}

// asRead is a name as people compare it: in their own letters, small, without a final
// dot.
func asRead(name string) string {
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	if own, err := idna.Display.ToUnicode(name); err == nil {
		return own
	}
	return name
}

// serverOf is the server that the provider of a domain has for a protocol; empty:
// none that is known.
func (x Explainer) serverOf(domain string, protocol postroom.Protocol) string {
	p, ok := x.presets().ByDomain(domain)
	if !ok {
		return ""
	}
	for _, s := range p.ServersFor("somebody@" + domain) {
		if s.Protocol == protocol {
			return s.Host
		}
	}
	return ""
}
