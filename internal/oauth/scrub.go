package oauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

const (
	hidden   = "[hidden]" // as a Secret prints itself
	maxShown = 1000       // bytes of what a provider said that are kept
	piece    = 64         // characters: of so much of a long secret even a part is hidden
)

// toldFields are those that tell about an error: of RFC 6749 section 5.2, and of
// Microsoft, Google, Yahoo, Mail.ru and Zoho. Nothing else of an answer is shown.
var toldFields = []string{
	"error", "error_description", "error_uri", "error_subtype", "error_codes", "error_code", "error_message", "error_reason", "suberror",
	"status", "code", "message", "reason", "errorId", "localizedMessage", "detail", "title",
	"timestamp", "trace_id", "correlation_id", "request_id",
}

// errorCodes are the names that RFC 6749, 7009, 8628 and OpenID Connect give to errors.
// They are no secrets, even where a secret looks like one of them.
var errorCodes = []string{
	"invalid_request", "invalid_client", "invalid_grant", "unauthorized_client", "unsupported_grant_type", "invalid_scope", "invalid_token",
	"access_denied", "unsupported_response_type", "server_error", "temporarily_unavailable", "unsupported_token_type",
	"authorization_pending", "slow_down", "expired_token", "interaction_required", "login_required", "consent_required", "account_selection_required",
}

// refusal is what an answer refuses, without any of secrets.
func (a *answer) refusal(phase Phase, secrets []postroom.Secret) *Refusal {
	for _, name := range []string{"access_token", "refresh_token", "id_token", "device_code", "client_secret", "assertion"} {
		if token := a.said(name); len(token) > 8 {
			secrets = append(secrets, postroom.Hide(token))
		}
	}
	r := &Refusal{Phase: phase, Status: a.status, RetryAfter: a.retryAfter, Err: a.err}
	heard := a.told()
	if r.Reply = scrub(heard, secrets); r.Reply != heard {
		r.Heard = postroom.Hide(heard)
	}
	r.Reply = shorten(r.Reply, maxShown)
	code, description := a.errorName()
	if r.Code = code; !slices.Contains(errorCodes, code) {
		r.Code = shorten(scrub(code, secrets), 100)
	}
	r.Description = shorten(scrub(description, secrets), maxShown)
	if u, err := url.Parse(a.said("error_uri")); err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http") {
		if at := bounded(u.String()); scrub(at, secrets) == at && len(at) <= maxShown {
			r.URI = at
		}
	}
	return r
}

// errorName finds the name of an error and its words. Google's APIs and Yahoo put an
// object where RFC 6749 has a name.
func (a *answer) errorName() (code, description string) {
	code, description = a.said("error"), a.said("error_description")
	if inner, isObject := a.fields["error"].(map[string]any); isObject {
		within := answer{fields: inner}
		for _, name := range []string{"status", "errorId", "code"} {
			if code == "" {
				code = within.said(name)
			}
		}
		for _, name := range []string{"message", "localizedMessage", "description"} {
			if description == "" {
				description = within.said(name)
			}
		}
	}
	if code == "0" { // none, in numbers
		code = ""
	}
	return bounded(visible(code)), bounded(visible(description))
}

// told is what an answer tells about an error, and may be looked at as a whole.
func (a *answer) told() string {
	switch {
	case a.fields == nil && errors.Is(a.err, ErrPage):
		return bounded(visible(gist(a.text)))
	case a.fields == nil && (a.status < 300 || tokenName.MatchString(a.text)):
		return "" // whatever it is, it may hold what was asked for
	case a.fields == nil:
		return bounded(visible(a.text))
	}
	var parts []string
	for _, name := range toldFields {
		value, has := a.fields[name]
		if !has || value == nil || value == "" {
			continue
		}
		if inner, isObject := value.(map[string]any); isObject {
			value = toldOf(inner)
		}
		if text, isText := value.(string); isText {
			value = bounded(visible(text))
		}
		parts = append(parts, inJSON(name)+":"+bounded(inJSON(value)))
	}
	if parts == nil {
		return ""
	}
	return bounded("{" + strings.Join(parts, ",") + "}")
}

// tokenName is what stands before a token.
var tokenName = regexp.MustCompile(`(?i)(token|device_?code|secret)["']?\s*[:=]`)

// toldOf are the fields of an object within an answer that tell about an error.
func toldOf(object map[string]any) map[string]any {
	told := map[string]any{}
	for _, name := range toldFields {
		switch value := object[name].(type) {
		case string:
			told[name] = bounded(visible(value))
		case json.Number, bool:
			told[name] = value
		}
	}
	return told
}

// inJSON writes a value as JSON, with < and > as they are.
func inJSON(value any) string {
	var text strings.Builder
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	if e.Encode(value) != nil { // cannot be: it was read from JSON
		return `""`
	}
	return strings.TrimSpace(text.String())
}

// bounded cuts what a hostile server has said to a length at which it is still searched
// for secrets within moments, long before it is shown.
func bounded(text string) string { return cut(text, 4*maxShown) }

// shorten cuts what is to be shown.
func shorten(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	return cut(text, bytes) + "…"
}

func cut(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	for bytes > 0 && !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes]
}

// visible makes one line of printable characters of text.
func visible(text string) string {
	text = strings.ToValidUTF8(text, "�")
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return ' '
		}
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, text))
}

// scrub removes secrets from text, whole or in part, in whatever form they stand there.
// Long ones are looked for piece by piece: half a token is too much.
func scrub(text string, secrets []postroom.Secret) string {
	for _, secret := range secrets {
		if text == "" {
			return ""
		}
		for _, part := range pieces(secret.Reveal()) {
			text = postroom.Hide(part).Blank(text, hidden)
		}
	}
	return text
}

func pieces(secret string) []string {
	if len(secret) <= 2*piece {
		return []string{secret}
	}
	var all []string
	for ; len(secret) > 2*piece; secret = secret[piece:] {
		all = append(all, secret[:piece])
	}
	return append(all, secret)
}

// sent are the secrets that went out with a request, in whatever field or header.
func sent(header http.Header, form url.Values) []postroom.Secret {
	var all []postroom.Secret
	for _, name := range []string{"code", "code_verifier", "refresh_token", "client_secret", "client_assertion", "assertion", "device_code", "token"} {
		if value := form.Get(name); value != "" {
			all = append(all, postroom.Hide(value))
		}
	}
	if _, proof, found := strings.Cut(header.Get("Authorization"), " "); found {
		all = append(all, postroom.Hide(proof))
	}
	return all
}

// A scrubbedError is an error of the network that has repeated a secret, without it. What
// it wrapped is gone, for that would still tell.
type scrubbedError struct{ text string }

func (e *scrubbedError) Error() string { return e.text }

// scrubError returns err, or if its text holds one of secrets, its text without.
func scrubError(err error, secrets []postroom.Secret) error {
	text := bounded(err.Error())
	if shown := scrub(text, secrets); shown != text {
		return &scrubbedError{shorten(shown, maxShown)}
	}
	return err
}
