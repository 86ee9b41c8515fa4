package api

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
)

// A Problem is an error as the API answers it (RFC 9457).
type Problem struct {
	Type   string `json:"type" doc:"Always about:blank: the status and the class say what it is."`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail" doc:"The explanation again."`

	Class       string       `json:"class" doc:"The cause, one of the known causes of trouble with mail servers; unknown for all else."`
	Explanation string       `json:"explanation" doc:"One sentence about the world."`
	Remedy      string       `json:"remedy" doc:"What can be done today."`
	FixBy       string       `json:"fix_by" enum:"user,mailbox_admin,app_admin,wait" doc:"Who can put it right."`
	Field       string       `json:"field,omitempty" doc:"The setting that is wrong, as the request names it."`
	Errors      []FieldFault `json:"errors,omitempty" doc:"All that is wrong with the request, where it is more than one thing."`
	Incident    string       `json:"incident,omitempty" doc:"With status 500: the number under which the log tells more."`
	headers     http.Header  `json:"-"`
}

// A FieldFault is one thing that is wrong with a request.
type FieldFault struct {
	Field       string `json:"field"`
	Explanation string `json:"explanation"`
}

func (p *Problem) Error() string             { return p.Explanation }
func (p *Problem) GetStatus() int            { return p.Status }
func (p *Problem) GetHeaders() http.Header   { return p.headers }
func (p *Problem) ContentType(string) string { return "application/problem+json" }

// statusOf is the one place where a kind becomes an HTTP status.
func statusOf(k postroom.Kind) int {
	switch k {
	case postroom.Invalid:
		return http.StatusUnprocessableEntity
	case postroom.NotFound:
		return http.StatusNotFound
	case postroom.Conflict:
		return http.StatusConflict
	case postroom.Unauthenticated:
		return http.StatusUnauthorized
	case postroom.Forbidden:
		return http.StatusForbidden
	case postroom.TooMany:
		return http.StatusTooManyRequests
	case postroom.NeedsSignIn, postroom.NeedsRepair:
		return http.StatusBadGateway
	case postroom.Delayed:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

func problemOf(f *postroom.Fault) *Problem {
	p := &Problem{
		Status: statusOf(f.Kind), Class: string(f.Class), Explanation: f.Explanation, Remedy: f.Remedy,
		FixBy: string(f.FixBy), Field: f.Field, headers: make(http.Header),
	}
	if f.RetryAfter > 0 {
		p.headers.Set("Retry-After", strconv.Itoa(int(math.Ceil(f.RetryAfter.Seconds()))))
	}
	if f.Kind == postroom.Unauthenticated {
		p.headers.Set("WWW-Authenticate", `Bearer realm="Postroom"`)
	}
	return p
}

// problem turns an error into what the asker may know of it. Our own mistakes say
// nothing of the inside; the log has the rest under the same number.
func (s *Server) problem(ctx context.Context, err error) *Problem {
	var p *Problem
	if !errors.As(err, &p) {
		if f, ok := postroom.FaultOf(err); ok && f.Kind != postroom.Internal {
			p = problemOf(f)
		} else {
			p = s.ownMistake(ctx, err)
		}
	}
	return p.complete()
}

func (p *Problem) complete() *Problem {
	p.Type, p.Title, p.Detail = "about:blank", http.StatusText(p.Status), p.Explanation
	if p.Class == "" {
		p.Class = string(postroom.Unknown)
	}
	if p.FixBy == "" {
		p.FixBy = string(postroom.FixByUser)
	}
	return p
}

func (s *Server) ownMistake(ctx context.Context, err error) *Problem {
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		// Whoever asked has gone and reads nothing of this, or Postroom is stopping.
		return &Problem{
			Status: http.StatusServiceUnavailable, FixBy: string(postroom.FixByWaiting),
			Explanation: "The request was given up before it was done.", Remedy: "Look whether it was done, and ask again in a moment.",
		}
	}
	incident := rand.Text()[:10]
	if s.Log != nil {
		s.Log.ErrorContext(ctx, "request failed", "incident", incident, "err", err)
	}
	return &Problem{
		Status: http.StatusInternalServerError, FixBy: string(postroom.FixByAppAdmin), Incident: incident,
		Explanation: "Something went wrong inside Postroom.",
		Remedy:      "Try again. If it happens again, tell the administrator of Postroom this number, which stands in the log: " + incident + ".",
	}
}

// refuse answers with a problem outside of the router.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := s.problem(r.Context(), err)
	for name, values := range p.headers {
		w.Header()[name] = values
	}
	w.Header().Set("Content-Type", p.ContentType(""))
	w.WriteHeader(p.Status)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(p) // whoever asked has gone
}

// recovered answers a panic of a handler, which is our own mistake.
func (s *Server) recovered(w http.ResponseWriter, r *http.Request) {
	cause := recover()
	if cause == nil {
		return
	}
	if err, ok := cause.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(cause)
	}
	if r.Context().Err() == nil {
		s.refuse(w, r, fmt.Errorf("panic: %v\n%s", cause, debug.Stack()))
	}
}

// translated turns what the router finds wrong with a request into a Problem. The
// values themselves are left out: one of them may be a password.
func translated(_ huma.Context, _ string, body any) (any, error) {
	m, ok := body.(*huma.ErrorModel)
	if !ok {
		return body, nil
	}
	p := &Problem{Status: m.Status, FixBy: string(postroom.FixByUser)}
	for _, e := range m.Errors {
		if e != nil {
			p.Errors = append(p.Errors, fieldFault(e))
		}
	}
	switch {
	case m.Status == http.StatusRequestEntityTooLarge:
		p.Explanation, p.Remedy = "This request is longer than what is taken here.", "Send less at once."
	case m.Status == http.StatusUnsupportedMediaType:
		p.Explanation, p.Remedy = "This kind of content is not understood here.", "Send JSON, with the header “Content-Type: application/json”."
	case m.Status == http.StatusBadRequest && len(p.Errors) == 0:
		p.Explanation, p.Remedy = "This request needs a body.", "Send it as JSON; the document at "+Prefix+"/openapi.json shows its fields."
	case m.Status == http.StatusBadRequest:
		p.Explanation, p.Remedy, p.Errors = "The body of this request is not JSON.", "Check where it ends, its quotes and its commas.", nil
	case m.Status == http.StatusUnprocessableEntity && len(p.Errors) > 0:
		p.Field, p.Explanation = p.Errors[0].Field, p.Errors[0].Explanation
		p.Remedy = correctRequest
	default:
		p.Explanation, p.Remedy = "This request could not be read.", "Send it again."
	}
	if len(p.Errors) == 1 {
		p.Errors = nil
	}
	return p.complete(), nil
}

const correctRequest = "Correct the request; the document at " + Prefix + "/openapi.json shows its fields."

// fieldFault names a field as the request does: body.incoming.port is incoming.port.
func fieldFault(e *huma.ErrorDetail) FieldFault {
	_, field, _ := strings.Cut(e.Location, ".")
	switch {
	case strings.HasPrefix(e.Message, "unexpected property"):
		return FieldFault{field, "There is no field “" + field + "” here."}
	case strings.HasPrefix(e.Message, "unknown query parameter"):
		return FieldFault{field, "There is no parameter “" + field + "” here."}
	case strings.HasPrefix(e.Message, "expected required property "):
		name, _, _ := strings.Cut(strings.TrimPrefix(e.Message, "expected required property "), " ")
		field = strings.Trim(field+"."+name, ".")
		return FieldFault{field, "The field “" + field + "” is missing."}
	case strings.HasPrefix(e.Message, "json: "):
		field = fieldOfType(e.Message)
		return FieldFault{field, "The field “" + field + "” holds something that does not fit into it."}
	case strings.HasPrefix(e.Message, "expected value to match exactly one schema"):
		return FieldFault{field, "The field “" + field + "” has none of the forms that it can have."}
	case field == "":
		return FieldFault{"", "The body does not fit: " + e.Message + "."}
	}
	return FieldFault{field, "The field “" + field + "” does not fit: " + e.Message + "."}
}

// fieldOfType is the field that the decoder names as “Go struct field
// Draft.Settings.incoming.port of type int”: what begins with a capital is the name
// of a type.
func fieldOfType(message string) string {
	_, path, _ := strings.Cut(message, "struct field ")
	path, _, _ = strings.Cut(path, " ")
	names := strings.FieldsFunc(path, func(r rune) bool { return r == '.' })
	return strings.Join(slices.DeleteFunc(names, func(n string) bool { return unicode.IsUpper(rune(n[0])) }), ".")
}
