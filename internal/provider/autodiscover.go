package provider

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
)

// The names that belong to the Autodiscover of Microsoft 365, and those that its answers
// lead to.
var microsoftDomains = [...]string{"outlook.com", "office.com", "office365.com"}

func isMicrosoft(host string) bool {
	for _, d := range microsoftDomains {
		if isBelow(host, d) {
			return true
		}
	}
	return false
}

// microsoft is the preset of companies that have their mail at Microsoft.
const microsoft = "microsoft365"

// askAutodiscoverName asks the DNS whose host autodiscover.DOMAIN is. A company at
// Microsoft 365 has an alias there, also where its mail passes somebody else's filter
// first. Microsoft itself is not asked.
func (q *inquiry) askAutodiscoverName(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourcePublished, Asked: "alias autodiscover." + domain}}
	name, err := q.finder.resolver().LookupCNAME(ctx, rooted("autodiscover."+domain))
	name = strings.TrimSuffix(strings.ToLower(name), ".")
	preset, ok := q.finder.presets().ByID(microsoft)
	switch {
	case err != nil:
		l.try.Words = inWords(err)
	case !ok || !isMicrosoft(name):
		l.try.Words = "is not Microsoft’s"
	default:
		l.try.Found, l.try.Words = true, "leads to "+preset.shortName()
		l.provider = preset
		l.candidates = q.presetServers(preset, SourcePublished, domain+" ("+preset.shortName()+")")
	}
	return l
}

// autodiscoverRequest is what Outlook asks ([MS-OXDSCLI], Autodiscover POX). It holds no
// password, and none is ever sent.
type autodiscoverRequest struct {
	XMLName xml.Name `xml:"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006 Autodiscover"`
	Address string   `xml:"Request>EMailAddress"`
	Schema  string   `xml:"Request>AcceptableResponseSchema"`
}

// askAutodiscover asks the host autodiscover.DOMAIN as Outlook does, without signing in.
// Many hosters answer with IMAP and SMTP; Exchange wants a password first, and by that
// is known. The web server of the domain itself is not asked, nor what an SRV record
// names: both are often somebody else than the mail, and would be told the address.
func (q *inquiry) askAutodiscover(ctx context.Context, domain string) lead {
	host := "autodiscover." + domain
	l := lead{try: Try{Source: SourcePublished, Asked: host}}
	body, err := xml.Marshal(autodiscoverRequest{
		Address: q.address.inASCII(), Schema: "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a",
	})
	if err != nil {
		l.try.Words = inWords(err)
		return l
	}
	text, err := q.finder.fetch(ctx, pageRequest{
		url: "https://" + host + "/autodiscover/autodiscover.xml", body: xml.Header + string(body), stay: organisation(domain),
	})
	if isExchange(err) {
		l.try.Found, l.try.Words = true, "an Exchange server answers, and tells nothing without a password"
		l.hosts = []string{host}
		l.notes = append(l.notes, "An Exchange server answers for "+domain+". It can be read where its administrator has switched IMAP on.")
		l.provider, _ = q.finder.presets().ByID("exchange_onprem")
		return l
	}
	var list []Candidate
	if err == nil {
		list, err = readAutodiscover(text)
	}
	q.take(ctx, &l, list, err, domain)
	return l
}

// isExchange says whether a refusal is that of an Exchange server: it wants a sign-in of
// Windows, or names its front end.
func isExchange(err error) bool {
	var refused *statusError
	if !errors.As(err, &refused) || refused.status != http.StatusUnauthorized {
		return false
	}
	for _, challenge := range refused.header.Values("WWW-Authenticate") {
		scheme, _, _ := strings.Cut(strings.ToLower(challenge), " ")
		if scheme == "ntlm" || scheme == "negotiate" {
			return true
		}
	}
	return refused.header.Get("X-FEServer") != "" || refused.header.Get("X-OWA-Version") != ""
}

// readAutodiscover reads the protocols of an Autodiscover answer that are neither those
// of Exchange nor in clear.
func readAutodiscover(text []byte) (list []Candidate, err error) {
	root, err := readXML(text)
	if err != nil || root.name != "Autodiscover" {
		return nil, errNotSettings
	}
	for _, p := range root.child("Response").child("Account").all("Protocol") {
		if c, ok := autodiscoverServer(p); ok && len(list) < maxServers {
			list = append(list, c)
		}
	}
	return list, nil
}

func autodiscoverServer(p *element) (c Candidate, ok bool) {
	var inClear int // the port that begins in clear
	switch c.Protocol = postroom.Protocol(strings.ToLower(p.say("Type"))); c.Protocol {
	case postroom.IMAP:
		c.Port, inClear = 993, 143
	case postroom.POP3:
		c.Port, inClear = 995, 110
	case postroom.SMTP:
		c.Port, inClear = 465, 587
	default:
		return c, false
	}
	if text := p.say("Port"); text != "" {
		port, err := strconv.Atoi(text)
		if err != nil {
			return c, false
		}
		c.Port = port
	}
	switch encryption := strings.ToLower(p.say("Encryption")); {
	case encryption == "none", encryption == "" && strings.EqualFold(p.say("SSL"), "off") && c.Port != inClear:
		return c, false
	case encryption == "tls", c.Port == inClear, c.Protocol == postroom.SMTP && c.Port == 25: // Outlook's word for STARTTLS
		c.TLS = postroom.TLSStart
	default:
		c.TLS = postroom.TLSImplicit
	}
	c.Host, c.SignIns = strings.TrimSuffix(strings.ToLower(p.say("Server")), "."), []string{"password"}
	if c.Username = p.say("LoginName"); c.Username == "" {
		c.Username = wholeAddress
	}
	return c, c.isPossible() && isUserName(c.Username)
}

// askMicrosoft asks Microsoft's own directory whether it has the mailbox (Autodiscover
// v2). It is told the address, so that it is only asked where the administrator allows
// that a third party is.
func (q *inquiry) askMicrosoft(ctx context.Context) lead {
	l := lead{try: Try{Source: SourceDirectory, Asked: microsoftHost}}
	page := url.URL{
		Scheme: "https", Host: microsoftHost, Path: "/autodiscover/autodiscover.json/v1.0/" + q.address.inASCII(), RawQuery: "Protocol=AutodiscoverV1",
	}
	text, err := q.finder.fetch(ctx, pageRequest{url: page.String(), stay: "outlook.com"})
	if err != nil {
		l.try.Words = inWords(err)
		return l
	}
	var answer struct {
		URL string `json:"Url"`
	}
	preset, known := q.finder.presets().ByID(microsoft)
	at, err := url.Parse("")
	if json.Unmarshal(text, &answer) == nil {
		at, err = url.Parse(answer.URL)
	}
	if err != nil || !known || !isMicrosoft(at.Hostname()) {
		l.try.Words = "does not have this mailbox"
		return l
	}
	l.try.Found, l.try.Words = true, "has this mailbox"
	l.provider = preset
	l.candidates = q.presetServers(preset, SourceDirectory, "of Microsoft")
	return l
}

const microsoftHost = "autodiscover-s.outlook.com"
