package credential

import (
	"encoding/json"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

// An oauthReply is an entry of the catalogue of what OAuth servers say, as somebody
// reads it who does not trust the program that was made from it.
type oauthReply struct {
	ID         string         `yaml:"id"`
	Protocol   string         `yaml:"protocol"`
	Provider   string         `yaml:"provider"`
	Phase      string         `yaml:"phase"`
	Sample     string         `yaml:"sample"`
	Class      postroom.Class `yaml:"class"`
	Permanence string         `yaml:"permanence"`
	FixBy      postroom.FixBy `yaml:"fix_by"`

	code, description string
	nested            string // the whole of an answer in Google's own form; empty: it is OAuth's
}

func oauthReplies(t *testing.T) (said []oauthReply) {
	t.Helper()
	text, err := os.ReadFile("../diagnose/mail-errors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Errors []oauthReply `yaml:"errors"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Errors {
		if r.Protocol == "oauth" {
			said = append(said, r.read())
		}
	}
	return said
}

var (
	browserError = regexp.MustCompile(`^Error \d+: (\S+) ?(.*)$`)
	googleForm   = regexp.MustCompile(`^\{"error":\{`)
)

// read takes the sample apart as it was said: by the endpoint, by a page in the browser,
// or with Microsoft's number.
func (r oauthReply) read() oauthReply {
	var fields struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	switch found := browserError.FindStringSubmatch(r.Sample); {
	case googleForm.MatchString(r.Sample):
		r.nested = r.Sample
	case json.Unmarshal([]byte(r.Sample), &fields) == nil:
		r.code, r.description = fields.Error, fields.Description
	case strings.HasPrefix(r.Sample, "error="):
		r.code = strings.TrimPrefix(r.Sample, "error=")
	case found != nil:
		r.code, r.description = found[1], found[2]
	case strings.HasPrefix(r.Sample, "AADSTS"):
		r.code, r.description = r.microsoftCode(), r.Sample
	default:
		r.code, r.description = "server_refuses", r.Sample
	}
	return r
}

// microsoftCode is the name that Microsoft gives to an error besides its number; where a
// number is not in the catalogue, the name would tell what it means.
func (r oauthReply) microsoftCode() string {
	switch {
	case r.ID == "oauth-aadsts-unlisted":
		return "unspecified"
	case r.Permanence == "temporary":
		return "temporarily_unavailable"
	case r.Phase == "authorize":
		return "access_denied"
	case r.Class == postroom.ClientMisconfigured:
		return "invalid_client"
	case r.Class == postroom.MFARequired:
		return "interaction_required"
	}
	return "invalid_grant"
}

// A wording is how an OAuth server says the same another time. The result has no code
// where the wording would change nothing.
type wording struct {
	name string
	say  func(code, description string) (string, string)
}

var (
	oauthIDs = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[a-z]+@example\.com\b|\d{4}-\d\d-\d\dT[0-9:.]+Z|'[^']+'`)
	aadsts   = regexp.MustCompile(`AADSTS(\d+)`)
)

// wordings are played of every reply.
var wordings = []wording{
	{"as it stands", func(code, text string) (string, string) { return code, text }},
	{"other ids", func(code, text string) (string, string) {
		return code, oauthIDs.ReplaceAllString(text, "'9f7c2b61-0a4d-4e0b-8f55-c0ffee123456'")
	}},
	{"small letters", func(code, text string) (string, string) { return code, strings.ToLower(text) }},
	{"capitals", func(code, text string) (string, string) { return code, strings.ToUpper(text) }},
	{"double blanks", func(code, text string) (string, string) { return code, strings.ReplaceAll(text, " ", "  ") }},
	{"without the full stop", func(code, text string) (string, string) { return code, strings.TrimRight(text, ".") }},
	{"more behind it", func(code, text string) (string, string) {
		return code, text + "\r\nTrace ID: 6b1c9d57-0d7e-4c0e-9c7b-2f1d7a3b1e00\r\nCorrelation ID: 41c1d1cb-5be7-4c7b-8f0a-9d2c6b7a1f00\r\nTimestamp: 2027-01-31 23:59:58Z"
	}},
	{codeAlone, func(code, text string) (string, string) { return code, aadsts.FindString(text) }},
	{codeAndOther, func(code, text string) (string, string) {
		return code, strings.TrimSpace(aadsts.FindString(text) + " Der Vorgang wurde nicht ausgeführt.")
	}},
}

const (
	codeAlone    = "code alone"
	codeAndOther = "code, other words"
)

// forms are the ways in which an answer is written.
var forms = map[string]func(code, description string) (contentType, body string){
	"JSON": func(code, description string) (string, string) {
		return "application/json", object("error", code, "error_description", description)
	},
	"JSON, more in it": func(code, description string) (string, string) {
		number := "0"
		if found := aadsts.FindStringSubmatch(description); found != nil {
			number = found[1]
		}
		return "text/html; charset=utf-8", "{\"correlation_id\": \"41c1d1cb-5be7-4c7b-8f0a-9d2c6b7a1f00\",\n \"error_codes\": [" + number + "], " +
			strings.TrimPrefix(object("error_description", description, "error", code), "{")
	},
	"form": func(code, description string) (string, string) {
		return "text/plain", url.Values{"error": {code}, "error_description": {description}}.Encode()
	},
}

// object is a JSON object of texts, in their order.
func object(pairs ...string) string {
	var parts []string
	for n := 0; n < len(pairs); n += 2 {
		name, _ := json.Marshal(pairs[n])
		value, _ := json.Marshal(pairs[n+1])
		parts = append(parts, string(name)+":"+string(value))
	}
	return "{" + strings.Join(parts, ",") + "}"
}
