package provider

import (
	"slices"
	"strings"
)

// isClosed says whether a provider lets no program in, so that its servers need not be
// looked for.
func isClosed(p *Preset) bool { return p.Status == "no_protocols" || p.Status == "bridge_only" }

// notes are what people should know before they go on, the weightiest first.
func (q *inquiry) notes(found Found) (notes []string) {
	add := func(note string) {
		if note != "" && !slices.Contains(notes, note) {
			notes = append(notes, note)
		}
	}
	exchange, known := q.exchange()
	takesMail := !known || len(exchange.hosts) > 0
	if found.Provider == nil || len(found.Incoming) == 0 {
		if big, ok := meant(q.address.domain, takesMail); ok {
			add("Did you mean " + q.address.local + "@" + big + "?")
		}
	}
	for _, l := range q.got {
		for _, n := range l.notes {
			add(n)
		}
	}
	if found.Provider != nil {
		for _, n := range found.Provider.notes() {
			add(n)
		}
	}
	add(q.noMail(exchange, known, found))
	if len(found.Incoming) == 0 && (found.Provider == nil || !isClosed(found.Provider)) {
		add("No server was found. Whoever runs the mailbox knows its name; it often stands in the help pages under “IMAP settings”.")
	}
	return notes
}

// exchange is what the DNS said of the mail exchangers; known is false where it said
// nothing.
func (q *inquiry) exchange() (e exchangers, known bool) {
	for _, l := range q.got {
		if l.exchangers != nil {
			known = l.exchangers.missing || l.exchangers.refuses || len(l.exchangers.hosts) > 0
			return *l.exchangers, known
		}
	}
	return e, false
}

// noMail says why no mail may ever arrive.
func (q *inquiry) noMail(e exchangers, known bool, found Found) string {
	domain := q.address.domain
	switch {
	case found.Provider != nil:
		return ""
	case isLocalName(domain) && !q.finder.AllowPrivate:
		return domain + " means something within one network only, so that nobody outside can be asked about it. Enter the server by hand, or have the administrator of Postroom allow private addresses."
	case len(found.Incoming) == 0 && slices.ContainsFunc(q.got, func(l lead) bool { return l.isUnregistered }):
		return "There is no domain " + domain + ", says the name server. Look for a slip in it."
	case e.refuses:
		return domain + " says that it takes no mail."
	case e.missing && len(found.Incoming) == 0:
		return domain + " has no mail exchanger: it may not take mail. Look for a slip in it."
	case e.missing:
		return domain + " has no mail exchanger."
	case !known && len(found.Incoming) == 0:
		return "The name servers did not answer. Check whether this computer has a way into the Internet, and try again."
	}
	return ""
}

// shortName is what a provider is called within a sentence: without what its name says
// in brackets.
func (p *Preset) shortName() string {
	name, _, _ := strings.Cut(p.Name, " (")
	return name
}

// notes are what is special about a provider.
func (p *Preset) notes() (notes []string) {
	name := p.shortName()
	switch p.Status {
	case "no_protocols":
		return []string{name + " cannot be read by other programs: it offers neither IMAP nor POP3. Have its mail forwarded to a mailbox that can be read, and connect that."}
	case "bridge_only":
		notes = append(notes, name+" can be read only through its Bridge, a program of "+name+" that runs on your own computer and has a user name and password of its own.")
	case "oauth_only":
		notes = append(notes, name+" no longer takes passwords from programs: its mailboxes are opened by signing in.")
	case "premium_only":
		notes = append(notes, name+" lets programs in for paying customers only.")
	}
	if p.AppPassword.Required && p.Status != "oauth_only" && p.Status != "bridge_only" {
		note := name + " takes only app passwords"
		if p.OAuth != nil {
			note += " or a sign-in"
		}
		notes = append(notes, note+": the normal password is refused.")
	} else if p.AppPassword.WithTwoStep {
		notes = append(notes, name+" wants an app password once two-step verification is on.")
	}
	if p.UsernameNote != "" {
		notes = append(notes, "About the user name: "+strings.TrimSuffix(p.UsernameNote, ".")+".")
	}
	return notes
}
