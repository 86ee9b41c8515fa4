package provider

import (
	"context"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// What stands for parts of the address in settings that were published
// (draft-ietf-mailmaint-autoconfig, Placeholders). Candidates keep them until they are
// handed out.
const (
	wholeAddress = "%EMAILADDRESS%"
	localPart    = "%EMAILLOCALPART%"
	mailDomain   = "%EMAILDOMAIN%"
)

const (
	maxServers  = 20  // that one document may name
	maxUserName = 320 // bytes
)

// askAutoconfig asks the host autoconfig.DOMAIN (draft-ietf-mailmaint-autoconfig, Mail
// provider, 1.1). It is told the address, as the provider may have servers that differ
// by mailbox. Drafts have had the path .well-known/mail-v1.xml at that host as well; who
// publishes there publishes here too.
//
// Where a domain's own host has no HTTPS to speak of, it is asked in clear, as the draft
// allows for old servers (1.3): without the address, and what it says needs a person's
// eye, because anybody on the way could have said it. A host that answers by HTTPS is
// never asked in clear: its answer counts, whatever it is.
func (q *inquiry) askAutoconfig(ctx context.Context, domain string, inClearToo bool) lead {
	l := lead{try: Try{Source: SourcePublished, Asked: "autoconfig." + domain}}
	page := url.URL{
		Scheme: "https", Host: "autoconfig." + domain, Path: "/mail/config-v1.1.xml",
		RawQuery: url.Values{"emailaddress": {q.address.inASCII()}}.Encode(),
	}
	text, err := q.finder.fetch(ctx, pageRequest{url: page.String()})
	if !inClearToo || !isUnreachable(err) || ctx.Err() != nil {
		q.takeAutoconfig(ctx, &l, text, err, domain)
		return l
	}
	page.Scheme, page.RawQuery = "http", ""
	text, err = q.finder.fetch(ctx, pageRequest{url: page.String()})
	q.takeAutoconfig(ctx, &l, text, err, domain)
	if l.try.Found {
		l.doubt()
		l.notes = append(l.notes, "What "+domain+" publishes about its servers came without encryption, so that others could have changed it. Make sure that the servers are those of your provider before you enter a password.")
	}
	return l
}

// askWellKnown asks the domain's own web server (1.2), which is often run by somebody
// else than the mail: it is not told the address.
func (q *inquiry) askWellKnown(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourcePublished, Asked: domain + "/.well-known/autoconfig"}}
	text, err := q.finder.fetch(ctx, pageRequest{url: "https://" + domain + "/.well-known/autoconfig/mail/config-v1.1.xml"})
	q.takeAutoconfig(ctx, &l, text, err, domain)
	return l
}

// askDirectory asks the directory of providers that Thunderbird keeps (ISPDB, 2.1). It
// is told the domain.
func (q *inquiry) askDirectory(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourceDirectory, Asked: directoryHost}}
	text, err := q.finder.fetch(ctx, pageRequest{url: "https://" + directoryHost + "/v1.1/" + domain, stay: directoryHost})
	q.takeAutoconfig(ctx, &l, text, err, "of Thunderbird")
	return l
}

const directoryHost = "autoconfig.thunderbird.net"

func (q *inquiry) takeAutoconfig(ctx context.Context, l *lead, text []byte, err error, where string) {
	var list []Candidate
	if err == nil {
		list, err = readAutoconfig(text, q.address.domain)
	}
	q.take(ctx, l, list, err, where)
}

// readAutoconfig reads a clientConfig document. What it offers in clear, by other
// protocols, or with ways to sign in that nobody has here is left out.
func readAutoconfig(text []byte, domain string) (list []Candidate, err error) {
	root, err := readXML(text)
	if err != nil || root.name != "clientConfig" {
		return nil, errNotSettings
	}
	for _, provider := range root.all("emailProvider") {
		for _, server := range slices.Concat(provider.all("incomingServer"), provider.all("outgoingServer")) {
			c, ok := autoconfigServer(server, domain)
			if ok && len(list) < maxServers {
				list = append(list, c)
			}
		}
	}
	return list, nil
}

func autoconfigServer(server *element, domain string) (c Candidate, ok bool) {
	c.Protocol = postroom.Protocol(strings.ToLower(server.attr("type")))
	isOutgoing := server.name == "outgoingServer"
	if isOutgoing != (c.Protocol == postroom.SMTP) || !isOutgoing && c.Protocol != postroom.IMAP && c.Protocol != postroom.POP3 {
		return c, false
	}
	switch strings.ToUpper(server.say("socketType")) {
	case "SSL", "TLS":
		c.TLS = postroom.TLSImplicit
	case "STARTTLS":
		c.TLS = postroom.TLSStart
	default: // plain
		return c, false
	}
	host := strings.NewReplacer(mailDomain, domain).Replace(server.say("hostname"))
	c.Host = strings.TrimSuffix(strings.ToLower(host), ".")
	port, err := strconv.Atoi(server.say("port"))
	if c.Port = port; err != nil || !c.isPossible() {
		return c, false
	}
	if c.Username = server.say("username"); c.Username == "" {
		c.Username = wholeAddress
	}
	if !isUserName(c.Username) {
		return c, false
	}
	c.SignIns, ok = autoconfigSignIns(server.all("authentication"))
	return c, ok
}

// autoconfigSignIns are the ways to sign in that a server has; ok is false where there
// are some and none can be used.
func autoconfigSignIns(methods []*element) (ways []string, ok bool) {
	for _, m := range methods {
		way := ""
		switch strings.ToLower(m.text) {
		case "oauth2", "oauth":
			way = "oauth"
		case "password-cleartext", "password-encrypted", "plain", "secure":
			way = "password"
		}
		if way != "" && !slices.Contains(ways, way) {
			ways = append(ways, way)
		}
	}
	if len(methods) == 0 {
		ways = []string{"password"}
	}
	return ways, len(ways) > 0
}

// isPossible says whether a candidate names a server that there can be.
func (c Candidate) isPossible() bool {
	return isHostName(c.Host) && c.Port > 0 && c.Port < 1<<16
}

// isUserName says whether a text can be what somebody signs in with.
func isUserName(text string) bool {
	return text != "" && len(text) <= maxUserName && printable(text, maxUserName) == text
}

// filled is a candidate with the parts of an address put in.
func (c Candidate) filled(a mailAddress) Candidate {
	c.Username = strings.NewReplacer(wholeAddress, a.account, localPart, a.local, mailDomain, a.shown).Replace(c.Username)
	return c
}

// isPersonal says whether a candidate was made for one address.
func (c Candidate) isPersonal() bool { return !strings.Contains(c.Username, "%EMAIL") }
