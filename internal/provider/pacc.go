package provider

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"strings"

	"github.com/postroom/postroom"
)

// askPACC asks for the configuration of draft-ietf-mailmaint-pacc. Its digest in the DNS
// is asked for first: where there is none, nothing is fetched.
func (q *inquiry) askPACC(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourcePublished, Asked: "ua-auto-config." + domain}}
	records, err := q.finder.resolver().LookupTXT(ctx, rooted("_ua-auto-config."+domain))
	digests := paccDigests(records)
	if err != nil || len(digests) == 0 {
		l.try.Words = "nothing is there"
		if err != nil {
			l.try.Words = inWords(err)
		}
		return l
	}
	text, err := q.finder.fetch(ctx, pageRequest{url: "https://ua-auto-config." + domain + "/.well-known/user-agent-configuration.json"})
	var list []Candidate
	if err == nil {
		if !isAttested(text, digests) {
			l.try.Words = "is not what the DNS says it should be"
			return l
		}
		list, err = readPACC(text)
	}
	q.take(ctx, &l, list, err, domain)
	return l
}

// maxDigests is how many records are looked at: a change of settings has two.
const maxDigests = 8

// paccDigests are the digests in TXT records such as "v=UAAC1; a=sha256; d=…".
func paccDigests(records []string) (digests [][]byte) {
	for _, record := range records {
		tags := map[string]string{}
		for tag := range strings.SplitSeq(record, ";") {
			name, value, _ := strings.Cut(tag, "=")
			tags[strings.ToLower(strings.TrimSpace(name))] = strings.TrimSpace(value)
		}
		if !strings.EqualFold(tags["v"], "UAAC1") || !strings.EqualFold(tags["a"], "sha256") {
			continue
		}
		digest, err := base64.StdEncoding.DecodeString(tags["d"])
		if err == nil && len(digest) == sha256.Size && len(digests) < maxDigests {
			digests = append(digests, digest)
		}
	}
	return digests
}

func isAttested(text []byte, digests [][]byte) bool {
	is := sha256.Sum256(text)
	for _, d := range digests {
		if subtle.ConstantTimeCompare(is[:], d) == 1 {
			return true
		}
	}
	return false
}

// readPACC reads a configuration. Its servers have TLS from the first byte at the usual
// ports, and the user name is the address. The third draft says submit where earlier
// ones said smtp.
func readPACC(text []byte) (list []Candidate, err error) {
	var doc struct {
		Protocols      map[string]json.RawMessage `json:"protocols"`
		Authentication map[string]json.RawMessage `json:"authentication"`
	}
	if err := json.Unmarshal(text, &doc); err != nil {
		return nil, errNotSettings
	}
	var ways []string
	if doc.Authentication["oauth-public"] != nil {
		ways = append(ways, "oauth")
	}
	if string(doc.Authentication["password"]) == "true" || doc.Authentication["password"] == nil && len(ways) == 0 {
		ways = append(ways, "password")
	}
	for _, s := range []struct {
		name     string
		protocol postroom.Protocol
		port     int
	}{{"imap", postroom.IMAP, 993}, {"pop3", postroom.POP3, 995}, {"submit", postroom.SMTP, 465}, {"smtp", postroom.SMTP, 465}} {
		var at struct {
			Host string `json:"host"`
		}
		if json.Unmarshal(doc.Protocols[s.name], &at) != nil {
			continue
		}
		c := Candidate{
			Protocol: s.protocol, Host: strings.TrimSuffix(strings.ToLower(at.Host), "."), Port: s.port,
			TLS: postroom.TLSImplicit, Username: wholeAddress, SignIns: ways,
		}
		if c.isPossible() {
			list = append(list, c)
		}
	}
	return list, nil
}
