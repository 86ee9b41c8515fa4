package simulator

import (
	"crypto/rand"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An oauthDevice waits for somebody to type its code (RFC 8628).
type oauthDevice struct {
	code, userCode string
	app            *oauthApp
	scopes         []string
	expires        time.Time
	interval       time.Duration
	polled         time.Time
	declined, used bool
	grant          *oauthGrant // nil: nobody has confirmed yet
}

// startDevice gives a code to type (RFC 8628 section 3.1).
func (p *OAuthServer) startDevice(w http.ResponseWriter, r *http.Request) {
	lasts, names := 30*time.Minute, []string{"verification_url"} // Google's name for it
	if p.isMicrosoft() {
		lasts, names = 15*time.Minute, []string{"verification_uri"}
	}
	text := rand.Text()
	d := &oauthDevice{
		code: p.newToken("AH-1", "GAQ"), userCode: text[:4] + "-" + text[4:8], app: p.state.apps[r.PostForm.Get("client_id")],
		scopes: strings.Fields(r.PostForm.Get("scope")), expires: p.now().Add(lasts), interval: 5 * time.Second,
	}
	switch {
	case p.isMicrosoft() && !p.isTenant(r.PathValue("tenant")):
		p.refuse(w, refusalOf(noTenant))
		return
	case d.app == nil:
		p.refuse(w, refusalOf(noApp))
		return
	case !p.knows(d.scopes), !p.isMicrosoft() && slices.Contains(d.scopes, googleMail):
		// Google lets devices have names and files, never mail.
		p.refuse(w, refusalOf(badScope))
		return
	}
	p.state.devices[d.code] = d
	said := map[string]any{"device_code": d.code, "user_code": d.userCode, "expires_in": int(lasts / time.Second), "interval": int(d.interval / time.Second)}
	for _, name := range names {
		said[name] = p.VerifyURL
	}
	if p.isMicrosoft() {
		said["message"] = "To sign in, use a web browser to open the page " + p.VerifyURL + " and enter the code " + d.userCode + " to authenticate."
	}
	answerJSON(w, http.StatusOK, said)
}

// verifyPage is where the code of a device is typed.
func (p *OAuthServer) verifyPage(w http.ResponseWriter, r *http.Request) {
	f := &oauthFlow{browser: p.browser(w, r), step: stepCode, typed: r.URL.Query().Get("user_code")}
	p.enter(f)
	p.moveOn(w, r, f)
}

// takeUserCode finds the device that a code is for.
func (p *OAuthServer) takeUserCode(f *oauthFlow, typed string) {
	f.typed = strings.ToUpper(strings.TrimSpace(typed))
	for _, d := range p.state.devices {
		if d.userCode == f.typed && p.now().Before(d.expires) && d.grant == nil && !d.declined {
			f.device, f.app, f.scopes, f.typed = d, d.app, d.scopes, ""
			f.step = stepAccount
			if len(p.choices(f)) > 0 {
				f.step = stepChoose
			}
			return
		}
	}
	f.wrong = "That code didn’t work. Check the code and try again."
}

// byDevice tells a device whether somebody has confirmed (RFC 8628 section 3.4).
func (p *OAuthServer) byDevice(app *oauthApp, form url.Values) (issue, *oauthRefusal) {
	d := p.state.devices[form.Get("device_code")]
	now := p.now()
	switch {
	case d == nil || d.app != app || d.used:
		return issue{}, refusalOf(badGrant)
	case d.declined:
		return issue{}, refusalOf(declined)
	case !now.Before(d.expires):
		return issue{}, refusalOf(oldDevice)
	case d.grant == nil:
		early := now.Before(d.polled.Add(d.interval))
		if d.polled = now; early {
			d.interval += 5 * time.Second
			return issue{}, refusalOf(slowDown)
		}
		return issue{}, refusalOf(pending)
	}
	d.used = true
	return p.begin(d.grant)
}
