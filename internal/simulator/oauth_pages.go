package simulator

import (
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
)

// oauthPage is what a page shows.
type oauthPage struct {
	Title, Provider, Notice, Wrong, App, Flow, Typed, User string

	Step     oauthStep
	Accounts []string
	Scopes   []oauthScope
	Apps     []OAuthApp
	Admin    bool
	Error    string // in the provider's words; empty: no error
}

type oauthScope struct {
	Name, Words string
	Optional    bool // it can be left out
}

// page is every page of the sign-in. Forms work without scripts; there are none.
func (p *OAuthServer) page() *template.Template {
	return template.Must(template.New("page").Parse(`<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{{.Title}}</title>
<style>body{font:16px system-ui;margin:3rem auto;max-width:26rem;padding:0 1rem}button,input{font:inherit;padding:.5rem .8rem;margin:.25rem 0}input:not([type=checkbox]){width:100%;box-sizing:border-box}.account{display:block;width:100%;text-align:left}.wrong{color:#b3261e}.notice{background:#eee;padding:.5rem}</style></head>
<body>{{with .Notice}}<p class="notice" id="notice">{{.}}</p>{{end}}<p>{{.Provider}}</p><h1 id="title">{{.Title}}</h1>
{{if .Error}}<p id="error">{{.Error}}</p>
{{else}}<form method="post" action="/signin" id="{{.Step}}"><input type="hidden" name="flow" value="{{.Flow}}">
{{if eq .Step "choose"}}{{with .App}}<p>to continue to {{.}}</p>{{end}}{{range $i, $a := .Accounts}}<button class="account" id="account-{{$i}}" name="account" value="{{$a}}">{{$a}}</button>{{end}}
<button class="account" id="use-another" name="do" value="other">Use another account</button>
{{else if eq .Step "account"}}{{with .App}}<p>to continue to {{.}}</p>{{end}}<label for="identifier">Email</label><input id="identifier" name="identifier" value="{{.Typed}}" autocomplete="username" autofocus>
{{with .Wrong}}<p class="wrong" id="wrong">{{.}}</p>{{end}}<button id="next">Next</button>
{{else if eq .Step "password"}}<p id="who">{{.User}}</p><label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" autofocus>
{{with .Wrong}}<p class="wrong" id="wrong">{{.}}</p>{{end}}<button id="next">Next</button> <button id="use-another" name="do" value="other" formnovalidate>Use another account</button>
{{else if eq .Step "consent"}}<p id="who">{{.User}}</p><ul>{{range $i, $s := .Scopes}}<li>{{if $s.Optional}}<input type="checkbox" id="scope-{{$i}}" name="scope" value="{{$s.Name}}" checked> <label for="scope-{{$i}}">{{$s.Words}}</label>{{else}}{{$s.Words}}{{end}}</li>{{end}}</ul>
<button id="decline" name="do" value="decline">Cancel</button> <button id="allow" name="do" value="allow">{{if .Admin}}Accept for everybody{{else}}Continue{{end}}</button>
{{else if eq .Step "admin"}}<p id="error">{{.App}} needs permission to access resources in your organization that only an admin can grant. Please ask an admin to grant permission to this app before you can use it.</p>
<button id="decline" name="do" value="decline">Return to the application without granting consent</button>
{{else if eq .Step "code"}}<label for="user_code">Code</label><input id="user_code" name="user_code" value="{{.Typed}}" autocomplete="off" autofocus>
{{with .Wrong}}<p class="wrong" id="wrong">{{.}}</p>{{end}}<button id="next">Next</button>
{{else if eq .Step "apps"}}<p id="who">{{.User}}</p>{{range $i, $a := .Apps}}<p>{{or $a.Name $a.ClientID}} <button id="remove-{{$i}}" name="remove" value="{{$a.ClientID}}">Remove access</button></p>{{else}}<p id="none">No app has access to your account.</p>{{end}}
{{else}}<p id="done">You can close this window now, and go on with {{.App}} on your device.</p>{{end}}</form>{{end}}</body></html>
`))
}

func (p *OAuthServer) providerName() string {
	if p.isMicrosoft() {
		return "Pretend Microsoft"
	}
	return "Pretend Google"
}

func (p *OAuthServer) show(w http.ResponseWriter, status int, page oauthPage) {
	page.Provider, page.Notice = p.providerName(), p.options.Notice
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = p.page().Execute(w, page) // into memory
}

// errorPage refuses in the provider's words, on its own page.
func (p *OAuthServer) errorPage(w http.ResponseWriter, refusal *oauthRefusal) {
	status := refusal.status
	if p.isMicrosoft() {
		text, _, _, _ := p.words(refusal)
		p.show(w, http.StatusBadRequest, oauthPage{Title: "Sorry, but we’re having trouble signing you in.", Error: text})
		return
	}
	title := "Access blocked: This app’s request is invalid"
	switch refusal.code {
	case "invalid_client":
		title = "Access blocked: Authorization Error. " + refusal.google
	case "admin_policy_enforced":
		title = "Access blocked: your institution’s admin needs to review this app"
	}
	p.show(w, status, oauthPage{Title: title, Error: fmt.Sprintf("Error %d: %s", status, refusal.code)})
}

// flow finds the flow of a request, which must be of the same browser.
func (p *OAuthServer) flow(r *http.Request) (*oauthFlow, bool) {
	f := p.state.flows[r.Form.Get("flow")]
	c, err := r.Cookie(browserCookie)
	return f, f != nil && err == nil && c.Value == f.browser && p.now().Before(f.expires)
}

func (p *OAuthServer) lostPage(w http.ResponseWriter) {
	p.show(w, http.StatusBadRequest, oauthPage{Title: "Something went wrong", Error: "This sign-in is over, or was begun in another browser. Go back to the app and begin again."})
}

// showPage shows the step at which a flow is.
func (p *OAuthServer) showPage(w http.ResponseWriter, r *http.Request) {
	f, ok := p.flow(r)
	if !ok {
		p.lostPage(w)
		return
	}
	page := oauthPage{Step: f.step, Flow: f.id, Typed: f.typed, User: f.user, Wrong: f.wrong, Accounts: p.choices(f), Admin: f.admin}
	if f.app != nil {
		if page.App = f.app.Name; page.App == "" {
			page.App = f.app.ClientID
		}
	}
	if f.step == stepApps {
		page.Apps = p.allowedApps(f)
	}
	for _, scope := range f.scopes {
		page.Scopes = append(page.Scopes, p.describe(scope))
	}
	page.Title = map[oauthStep]string{
		stepChoose: "Choose an account", stepAccount: "Sign in", stepPassword: "Enter your password", stepConsent: page.App + " wants access to your account",
		stepAdmin: "Need admin approval", stepCode: "Enter the code that your device shows", stepDone: "You’re all set", stepApps: "Apps with access to your account",
	}[f.step]
	p.show(w, http.StatusOK, page)
}

// describe says what a scope lets an app do. Google lets single ones be left out.
func (p *OAuthServer) describe(scope string) oauthScope {
	s := oauthScope{Name: scope, Words: scope, Optional: !p.isMicrosoft() && !slices.Contains([]string{"openid", "email", "profile"}, scope)}
	for end, words := range map[string]string{
		googleMail: "Read, compose, send, and permanently delete all your email", "/imap.accessasuser.all": "Read and write access to your mail by IMAP",
		"/pop.accessasuser.all": "Read and write access to your mail by POP", "/smtp.send": "Send emails from your mailbox", "offline_access": "Maintain access to data you have given it access to",
	} {
		if strings.HasSuffix(strings.ToLower(scope), end) {
			s.Words = words
		}
	}
	return s
}

// takePage takes what was entered on a page.
func (p *OAuthServer) takePage(w http.ResponseWriter, r *http.Request) {
	f, ok := p.flow(r)
	if !ok {
		p.lostPage(w)
		return
	}
	f.wrong = ""
	if r.PostForm.Get("do") == "other" && (f.step == stepChoose || f.step == stepPassword) {
		f.step, f.typed, f.user = stepAccount, "", ""
		p.moveOn(w, r, f)
		return
	}
	switch f.step {
	case stepChoose:
		p.takeAccount(f, r.PostForm.Get("account"))
	case stepAccount:
		p.takeAccount(f, r.PostForm.Get("identifier"))
	case stepPassword:
		p.takePassword(f, r.PostForm.Get("password"))
	case stepCode:
		p.takeUserCode(f, r.PostForm.Get("user_code"))
	case stepApps:
		if clientID := r.PostForm.Get("remove"); clientID != "" {
			p.remove(f.user, clientID)
		}
	case stepConsent:
		p.takeConsent(w, r, f)
		return
	case stepAdmin:
		p.decline(w, r, f)
		return
	}
	p.moveOn(w, r, f)
}

func (p *OAuthServer) takeAccount(f *oauthFlow, typed string) {
	user, known := p.account(typed)
	f.typed = typed
	switch {
	case !known && p.isMicrosoft():
		f.step, f.wrong = stepAccount, "We couldn’t find an account with that username."
	case !known:
		f.step, f.wrong = stepAccount, "Couldn’t find your Google Account"
	case p.isSignedIn(f, user) && f.prompt != "login":
		f.user = user
		p.afterSignIn(f)
	default:
		f.user, f.step = user, stepPassword
	}
}

func (p *OAuthServer) takePassword(f *oauthFlow, password string) {
	if !p.provider.isPassword(f.user, password) {
		f.wrong = "Wrong password. Try again or click Forgot password to reset it."
		if p.isMicrosoft() {
			f.wrong = "Your account or password is incorrect."
		}
		return
	}
	if !p.isSignedIn(f, f.user) {
		p.state.browsers[f.browser] = append(p.state.browsers[f.browser], f.user)
	}
	p.afterSignIn(f)
}

// takeConsent ends a flow as the person wants it.
func (p *OAuthServer) takeConsent(w http.ResponseWriter, r *http.Request, f *oauthFlow) {
	if r.PostForm.Get("do") != "allow" {
		p.decline(w, r, f)
		return
	}
	var scopes []string
	for _, scope := range f.scopes {
		if !p.describe(scope).Optional || slices.Contains(r.PostForm["scope"], scope) {
			scopes = append(scopes, scope)
		}
	}
	p.finish(w, r, f, scopes)
}

// decline sends the browser back without anything.
func (p *OAuthServer) decline(w http.ResponseWriter, r *http.Request, f *oauthFlow) {
	delete(p.state.flows, f.id)
	if f.device != nil {
		f.device.declined = true
		p.show(w, http.StatusOK, oauthPage{Title: "Access was not given", Error: "You can close this window now."})
		return
	}
	refusal := refusalOf(declined)
	refusal.code2 = "access_denied" // in the browser; "authorization_declined" is for devices
	p.sendError(w, r, f, refusal)
}
