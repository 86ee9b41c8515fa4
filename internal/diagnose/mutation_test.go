package diagnose

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// A mutation says the same in another way, as servers do from one version, place and
// customer to the next. It returns "" where there is nothing that it could change.
type mutation struct {
	name   string
	change func(s sample) string
}

var (
	mailAddress = regexp.MustCompile(`[a-z]+@[a-z.]+`)
	ipAddress   = regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`)
	hostName    = regexp.MustCompile(`\b(?:[a-z0-9-]+\.)+example\.(?:com|net|org)\b|\bexample\.(?:com|net|org)\b`)
	machine     = regexp.MustCompile(`\b[A-Z0-9]{8,}\.[A-Za-z0-9.]+\.(?:outlook|OUTLOOK)\.(?:com|COM)\b`)
	uuid        = regexp.MustCompile(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`)
	dateTime    = regexp.MustCompile(`\b20\d\d-\d\d-\d\d([T ])\d\d:\d\d:\d\d`)
	queueID     = regexp.MustCompile(`\b[0-9a-f]{8,}[a-z][0-9a-z]*\.\d+\b|\b[a-z]\d+[a-z0-9]+\.\d+\b`)
	statusWord  = regexp.MustCompile(`^(?:\* )?(?:NO|BAD|BYE|OK|\+OK|-ERR|[245]\d\d[ -]|\{|error=|Error )`)
	replyCode   = regexp.MustCompile(`^(?:(?:\* )?(?:NO|BAD|BYE|OK) \[[A-Z-]+(?: [^\]]*)?\]|-ERR \[[A-Z/-]+\]|[245]\d\d(?:[ -][245]\.\d+\.\d+)?|AADSTS\d+|\{"error":"[a-z_]+"\})`)
)

var mutations = []mutation{
	{"as it is", func(s sample) string { return s.Sample }},
	{"other ids", func(s sample) string {
		text := machine.ReplaceAllString(s.Sample, "FR3P281CA0099.DEUP281.PROD.OUTLOOK.COM")
		text = uuid.ReplaceAllString(text, "9d8c7b6a-5f4e-4d3c-8b2a-1908f7e6d5c4")
		text = dateTime.ReplaceAllString(text, "2027-03-14${1}15:09:26")
		return queueID.ReplaceAllString(text, "41be03b00d2f7-c2f1e4a9d2bsm1234567a12.7")
	}},
	{"other hosts", func(s sample) string {
		text := mailAddress.ReplaceAllString(s.Sample, "büro.süd+shop@kunde-77.example")
		text = ipAddress.ReplaceAllString(text, "198.51.100.77")
		return hostName.ReplaceAllString(text, "mx77.kunde-77.example")
	}},
	{"in small letters", func(s sample) string { return afterStatus(s.Sample, strings.ToLower) }},
	{"in capitals", func(s sample) string { return afterStatus(s.Sample, strings.ToUpper) }},
	{"wrapped", wrapped},
	{"with blanks", func(s sample) string { return "  " + strings.ReplaceAll(s.Sample, " ", " \t ") + " \r\n" }},
	{"with hard blanks", func(s sample) string { return strings.ReplaceAll(s.Sample, " ", "\u00a0") }},
	{"with curly quotes", func(s sample) string { return strings.ReplaceAll(s.Sample, "'", "’") }},
	{"with a tail", func(s sample) string {
		return s.Sample + " Veuillez réessayer / 请稍后重试 / Пожалуйста, обратитесь в поддержку (ref 8831-x)"
	}},
	{"with a tag", func(s sample) string {
		if s.Protocol != "imap" || strings.HasPrefix(s.Sample, "* ") || strings.HasPrefix(s.Sample, "{") || !statusWord.MatchString(s.Sample) {
			return ""
		}
		return "A0042 " + s.Sample
	}},
	{"the code alone", func(s sample) string { return replyCode.FindString(s.Sample) }},
	{"the code and another language", func(s sample) string {
		code := replyCode.FindString(s.Sample)
		if code == "" || strings.HasPrefix(code, "{") {
			return ""
		}
		return code + " L’opération n’a pas abouti."
	}},
}

// afterStatus changes what a server may write as it likes: not the status, by which a
// client knows what kind of line it has.
func afterStatus(text string, change func(string) string) string {
	status := statusWord.FindString(text)
	if strings.HasPrefix(status, "{") || strings.HasPrefix(status, "e") || strings.HasPrefix(status, "E") {
		return text // JSON has its names in small letters
	}
	return status + change(text[len(status):])
}

// wrapped breaks a reply into lines: of SMTP each with the code again (RFC 5321
// section 4.2.1), of the others with a blank where they go on.
func wrapped(s sample) string {
	words := strings.Split(s.Sample, " ")
	code := regexp.MustCompile(`^(\d\d\d)[ -](\d\.\d+\.\d+)?`).FindStringSubmatch(s.Sample)
	var text strings.Builder
	for n, word := range words {
		switch {
		case n == 0:
		case n%4 != 3 || regexp.MustCompile(`^\d\.\d+\.\d+$`).MatchString(word):
			text.WriteString(" ")
		case code != nil && code[2] != "":
			text.WriteString("\r\n" + code[1] + "-" + code[2] + " ")
		case code != nil:
			text.WriteString("\r\n" + code[1] + "-")
		default:
			text.WriteString("\r\n ")
		}
		text.WriteString(word)
	}
	return text.String()
}

// hostsOf is where the entries of a provider are heard.
var hostsOf = map[string]string{
	"gmail": "imap.gmail.com", "google_workspace": "imap.gmail.com", "microsoft365": "outlook.office365.com", "microsoft": "outlook.office365.com",
	"yahoo": "imap.mail.yahoo.com", "yandex": "imap.yandex.com", "mailru": "imap.mail.ru", "zoho": "imap.zoho.com", "qq": "imap.qq.com", "netease": "imap.163.com",
}

func (s sample) failure(text string) Failure {
	f := Failure{Protocol: postroom.Protocol(s.Protocol), Phase: s.Phase, Host: cmp.Or(hostsOf[s.Provider], "mail.example.net"), Reply: text, CredentialKind: "app_password"}
	switch s.Provider {
	case "gmail", "yahoo", "mailru":
		looks := true
		f.AppPasswordRequired, f.SecretLooksLikeAppPassword = true, &looks
	}
	switch s.Protocol {
	case "tls", "tcp", "dns":
		f.Protocol, f.Reply, f.Err = postroom.IMAP, "", errors.New(text)
	case "oauth":
		f.CredentialKind = "oauth"
	}
	return f
}

// accepted are the classes that are right for a text that was left with its code
// alone: those of the entries with the same code. Where the code tells nothing, that
// is what must be said.
func accepted(c *Catalogue, all []sample, s sample, text string) []postroom.Class {
	classes := []postroom.Class{}
	code := replyCode.FindString(s.Sample)
	for _, other := range all {
		if other.Protocol == s.Protocol && strings.EqualFold(normalise(replyCode.FindString(other.Sample)), normalise(code)) && (other.Phase == s.Phase || other.Phase == "any" || s.Phase == "any") {
			f := s.failure(text)
			class, _ := f.refine(c.find(other.Protocol, other.ID))
			classes = append(classes, class)
		}
	}
	if strings.Contains(code, "[ALERT]") || code == "NO" {
		classes = append(classes, postroom.Unknown)
	}
	return classes
}

// TestMutatedRepliesKeepTheirClass measures how well what servers say is understood
// when they say it in another way, and prints which classes are taken for which.
func TestMutatedRepliesKeepTheirClass(t *testing.T) {
	var c Catalogue
	all, _ := samples(t)
	type pair struct{ want, got postroom.Class }
	confused, byMutation := map[pair]int{}, map[string][2]int{}
	var examples []string
	total, right := 0, 0
	for _, s := range all {
		for _, m := range mutations {
			text := m.change(s)
			if text == "" || text == s.Sample && m.name != "as it is" || s.Protocol == recurring && strings.HasPrefix(m.name, "the code") {
				continue
			}
			f := s.failure(text)
			class, _ := f.refine(c.find(s.Protocol, s.ID))
			want := []postroom.Class{class}
			if strings.HasPrefix(m.name, "the code") {
				want = accepted(&c, all, s, text)
			}
			fault := c.Explain(f)
			count := byMutation[m.name]
			total++
			count[1]++
			if slices.Contains(want, fault.Class) {
				right++
				count[0]++
				confused[pair{class, class}]++
			} else {
				confused[pair{class, fault.Class}]++
				examples = append(examples, fmt.Sprintf("%s, %s: %q is %s, want %s", s.ID, m.name, text, fault.Class, want))
			}
			byMutation[m.name] = count
			checkVoice(t, s.ID+" "+m.name, fault)
		}
	}
	var matrix strings.Builder
	for _, p := range slices.SortedFunc(maps.Keys(confused), func(a, b pair) int {
		return cmp.Or(cmp.Compare(a.want, b.want), cmp.Compare(confused[b], confused[a]), cmp.Compare(a.got, b.got))
	}) {
		mark := ""
		if p.want != p.got {
			mark = "  <- taken for"
		}
		fmt.Fprintf(&matrix, "%-24s %-24s %5d%s\n", p.want, p.got, confused[p], mark)
	}
	for _, m := range mutations {
		fmt.Fprintf(&matrix, "%-30s %d of %d\n", m.name, byMutation[m.name][0], byMutation[m.name][1])
	}
	t.Logf("%d of %d replies have the right class (%.1f %%)\n%s", right, total, 100*float64(right)/float64(total), matrix.String())
	for _, m := range mutations {
		if n := byMutation[m.name]; n[0]*100 < n[1]*95 {
			t.Errorf("%s: %d of %d replies have the right class, want 95 %%", m.name, n[0], n[1])
		}
	}
	if t.Failed() || testing.Verbose() {
		t.Log("wrong:\n" + strings.Join(examples, "\n"))
	}
}
