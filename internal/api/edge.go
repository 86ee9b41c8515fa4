package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
)

// An edge is where requests become calls of a Server's methods.
type edge struct {
	server *Server
	api    huma.API
}

// viewerKey holds who asks, on the few lines between the guard and a method,
// where the router's own signature leaves no place for an argument.
type viewerKey struct{}

// add makes a method answer an operation. Errors become problem details.
func add[In, Out any](e *edge, o operation, method func(context.Context, postroom.Viewer, *In) (*Out, error)) {
	o.Middlewares = append(o.Middlewares, func(ctx huma.Context, next func(huma.Context)) {
		r, w := humago.Unwrap(ctx)
		if err := o.allowed(viewerOf(ctx.Context())); err != nil {
			e.server.refuse(w, r, err)
			return
		}
		next(ctx)
	})
	huma.Register(e.api, o.Operation, func(ctx context.Context, in *In) (*Out, error) {
		out, err := method(ctx, viewerOf(ctx), in)
		if err != nil {
			return nil, e.server.problem(ctx, err)
		}
		return out, nil
	})
}

func viewerOf(ctx context.Context) postroom.Viewer {
	v, _ := ctx.Value(viewerKey{}).(postroom.Viewer)
	return v
}

// An operation is an operation of the document and who may call it.
type operation struct {
	huma.Operation
	scope   postroom.Scope
	allowed func(postroom.Viewer) error
}

func read(method, path, summary string) operation {
	return newOperation(postroom.ScopeRead, method, path, summary)
}

func write(method, path, summary string) operation {
	return newOperation(postroom.ScopeWrite, method, path, summary)
}

func administer(method, path, summary string) operation {
	return newOperation(postroom.ScopeAdmin, method, path, summary)
}

func newOperation(scope postroom.Scope, method, path, summary string) operation {
	o := operation{scope: scope}
	o.Method, o.Path, o.Summary = method, path, summary
	o.OperationID = operationID(method, path)
	o.Description = "Takes a token with the scope " + string(scope) + "."
	o.Tags = []string{strings.SplitN(path, "/", 3)[1]}
	o.Security = []map[string][]string{{"token": {}}}
	o.MaxBodyBytes = maxBody
	o.RejectUnknownQueryParameters = true
	o.allowed = func(v postroom.Viewer) error {
		switch {
		case scope == postroom.ScopeAdmin && !v.IsAdmin(), scope == postroom.ScopeWrite && !v.CanWrite():
			return outOfScope(scope)
		}
		return nil
	}
	return o
}

// creates says that the operation answers 201.
func (o operation) creates() operation {
	o.DefaultStatus = http.StatusCreated
	return o
}

// takes says that the operation takes longer bodies than others.
func (o operation) takes(bytes int64) operation {
	o.MaxBodyBytes = bytes
	return o
}

// maxBody is how many bytes of a request are read. Certificates are the longest.
const maxBody = 1 << 20

// operationID reads like a call: get-issues-id-entries.
func operationID(method, path string) string {
	words := strings.FieldsFunc(strings.ToLower(method)+path, func(r rune) bool { return strings.ContainsRune("/{}", r) })
	return strings.Join(slices.DeleteFunc(words, func(w string) bool { return w == "" }), "-")
}

func outOfScope(scope postroom.Scope) error {
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This token may not do that: it takes the scope " + string(scope) + ".",
		Remedy:      "Ask an administrator for a token with the scope " + string(scope) + ".",
	}
}

// guard lets in who has a good token, and answers in problem details what the
// router would answer in plain text.
func (s *Server) guard(mux *http.ServeMux, document *huma.OpenAPI) http.Handler {
	openapi := documentHandler(document)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		defer s.recovered(w, r)
		if r.URL.Path == Prefix+"/openapi.json" && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
			openapi(w, r)
			return
		}
		v, err := s.whoAsks(r)
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		handler, pattern := mux.Handler(r)
		if pattern == "" {
			s.refuse(w, r, misrouted(w, r, handler))
			return
		}
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), viewerKey{}, v)))
	})
}

// whoAsks reads the Authorization header (RFC 6750 section 2.1).
func (s *Server) whoAsks(r *http.Request) (postroom.Viewer, error) {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if token = strings.TrimSpace(token); !strings.EqualFold(scheme, "Bearer") || token == "" {
		return postroom.Viewer{}, &postroom.Fault{
			Kind: postroom.Unauthenticated, Class: postroom.BadCredentials, FixBy: postroom.FixByUser,
			Explanation: "This request carries no token.",
			Remedy:      "Send the header “Authorization: Bearer TOKEN”. An administrator makes tokens, with “postroom token create” or under Settings.",
		}
	}
	return s.Authenticate(r.Context(), token)
}

// misrouted says why the router has nothing for r: its own answer is 404, or 405
// with the methods that there are in the Allow header.
func misrouted(w http.ResponseWriter, r *http.Request, handler http.Handler) error {
	plain := &unwritten{header: make(http.Header)}
	handler.ServeHTTP(plain, r)
	if allow := plain.header.Get("Allow"); plain.status == http.StatusMethodNotAllowed {
		w.Header().Set("Allow", allow)
		p := problemOf(&postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This address does not take " + r.Method + ".",
			Remedy:      "Use one of: " + allow + ".",
		})
		p.Status = http.StatusMethodNotAllowed
		return p
	}
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "The API has nothing at this address.",
		Remedy:      "Look at " + Prefix + "/openapi.json for what there is.",
	}
}

// unwritten takes an answer that nobody will see.
type unwritten struct {
	header http.Header
	status int
}

func (u *unwritten) Header() http.Header         { return u.header }
func (u *unwritten) WriteHeader(status int)      { u.status = status }
func (u *unwritten) Write(b []byte) (int, error) { return len(b), nil }
