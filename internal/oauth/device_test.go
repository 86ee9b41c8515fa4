package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestDevicesAsProvidersAnswer(t *testing.T) {
	tests := map[string]struct {
		body     string
		url      string
		complete string
		expires  time.Duration
		interval time.Duration
	}{
		"RFC 8628 section 3.2": {`{"device_code":"GmRhmhcxhwAzkoEqiMEg_DnyEysNkuNhszIySk9eS","user_code":"WDJB-MJHT","verification_uri":"https://example.com/device","verification_uri_complete":"https://example.com/device?user_code=WDJB-MJHT","expires_in":1800,"interval":5}`,
			"https://example.com/device", "https://example.com/device?user_code=WDJB-MJHT", 30 * time.Minute, 5 * time.Second},
		"Microsoft": {`{"user_code":"WDJB-MJHT","device_code":"FAQABAAEAAAD","verification_uri":"https://microsoft.com/devicelogin","expires_in":900,"interval":5,"message":"To sign in, use a web browser"}`,
			"https://microsoft.com/devicelogin", "", 15 * time.Minute, 5 * time.Second},
		"Yandex and Google": {`{"device_code":"4d8b","user_code":"WDJB-MJHT","verification_url":"https://ya.ru/device","interval":7,"expires_in":"300"}`, "https://ya.ru/device", "", 5 * time.Minute, 7 * time.Second},
		"hardly anything":   {`{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://a.example/"}`, "https://a.example/", "", usualDevice, usualInterval},
		"too much":          {`{"device_code":"d","user_code":"WDJB-MJHT","verification_uri":"https://a.example/","verification_uri_complete":"javascript:alert(1)","expires_in":1e9,"interval":1e9}`, "https://a.example/", "", 24 * time.Hour, maxInterval},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, says(200, "application/json", test.body))
			d, err := p.client().Device(context.Background(), p.app(), []string{"mail", "offline_access"})
			if err != nil {
				t.Fatal(err)
			}
			if d.UserCode != "WDJB-MJHT" || d.VerifyURL != test.url || d.VerifyURLComplete != test.complete || since(d.Expires) != test.expires || d.Interval != test.interval || since(d.Next) != test.interval {
				t.Errorf("device = %+v", d)
			}
			if form := p.asked[0].form; form.Get("scope") != "mail offline_access" || form.Get("client_id") != "postroom-app" {
				t.Errorf("asked %v", form)
			}
		})
	}
	for name, body := range map[string]string{
		"no code": `{"user_code":"A","verification_uri":"https://a.example/"}`, "nothing to type": `{"device_code":"d","verification_uri":"https://a.example/"}`,
		"nowhere": `{"device_code":"d","user_code":"A"}`, "a script": `{"device_code":"d","user_code":"A","verification_uri":"javascript:alert(1)"}`,
		"in clear": `{"device_code":"d","user_code":"A","verification_uri":"http://a.example/"}`,
	} {
		p := provide(t, says(200, "application/json", body))
		if _, err := p.client().Device(context.Background(), p.app(), nil); !errors.Is(err, ErrAnswer) || refusalOf(t, err).Phase != PhaseDevice {
			t.Errorf("%s: %v, want %v", name, err, ErrAnswer)
		}
	}
	if _, err := new(Client).Device(context.Background(), App{ClientID: "x"}, nil); !errors.Is(err, ErrNotOffered) {
		t.Errorf("without an address: %v", err)
	}
}

// One sign-in on another device, by the caller's clock.
func TestPoll(t *testing.T) {
	answers := []func(http.ResponseWriter, *http.Request){
		says(400, "application/json", `{"error":"authorization_pending"}`),
		says(400, "application/json", `{"error":"slow_down"}`),
		func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "60")
			says(503, "text/html", "<html>")(w, r)
		},
		func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) },
		says(200, "application/json", `{"access_token":"a","refresh_token":"r","token_type":"Bearer"}`),
	}
	asked := 0
	p := provide(t, func(w http.ResponseWriter, r *http.Request) { asked++; answers[asked-1](w, r) })
	now := noon
	c := p.client()
	c.Now = func() time.Time { return now }
	d := &Device{DeviceCode: postroom.Hide("the-device-code"), Expires: noon.Add(15 * time.Minute), Interval: 5 * time.Second, Next: noon.Add(5 * time.Second), Scopes: []string{"mail"}}
	steps := []struct {
		after    time.Duration // since the last question
		asked    int
		interval time.Duration
		next     time.Duration // from then
		status   int           // of the Refusal behind; 0: none
	}{
		{time.Second, 0, 5 * time.Second, 4 * time.Second, 0},
		{4 * time.Second, 1, 5 * time.Second, 5 * time.Second, 0},
		{5 * time.Second, 2, 10 * time.Second, 10 * time.Second, 0},
		{9 * time.Second, 2, 10 * time.Second, time.Second, 0},
		{time.Second, 3, 20 * time.Second, time.Minute, 503},
		{time.Minute, 4, 40 * time.Second, 40 * time.Second, 0},
	}
	for i, step := range steps {
		now = now.Add(step.after)
		_, err := c.Poll(context.Background(), p.app(), d)
		if !errors.Is(err, ErrPending) || asked != step.asked || d.Interval != step.interval || !d.Next.Equal(now.Add(step.next)) {
			t.Errorf("step %d: %v, asked %d, interval %v, next in %v, want %+v", i, err, asked, d.Interval, d.Next.Sub(now), step)
		}
		if r, ok := RefusalOf(err); step.status != 0 && (!ok || r.Status != step.status) {
			t.Errorf("step %d: %v, want status %d behind it", i, err, step.status)
		}
		if i == len(steps)-1 && !errors.Is(err, io.EOF) {
			t.Errorf("step %d: %v, want the error of the network", i, err)
		}
	}
	now = now.Add(40 * time.Second)
	g, err := c.Poll(context.Background(), p.app(), d)
	if err != nil || g.RefreshToken.Reveal() != "r" || fmt.Sprint(g.Scopes) != "[mail]" {
		t.Errorf("grant = %+v, %v", g, err)
	}
	if form := p.asked[0].form; form.Get("grant_type") != "urn:ietf:params:oauth:grant-type:device_code" || form.Get("device_code") != "the-device-code" {
		t.Errorf("asked %v", form)
	}
	now = d.Expires
	_, err = c.Poll(context.Background(), p.app(), d)
	if r := refusalOf(t, err); r.Code != "expired_token" || asked != 5 {
		t.Errorf("too late: %v, asked %d", err, asked)
	}
}

func TestPollEndsWithARefusal(t *testing.T) {
	for _, code := range []string{"access_denied", "expired_token", "invalid_grant", "invalid_client"} {
		p := provide(t, says(400, "application/json", `{"error":"`+code+`"}`))
		d := &Device{DeviceCode: postroom.Hide("d"), Expires: noon.Add(time.Minute), Interval: time.Second}
		if _, err := p.client().Poll(context.Background(), p.app(), d); errors.Is(err, ErrPending) || refusalOf(t, err).Code != code {
			t.Errorf("%s: %v", code, err)
		}
	}
}

func TestAPollThatIsCalledOffIsNotPending(t *testing.T) {
	p := provide(t, says(200, "application/json", `{}`))
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	d := &Device{DeviceCode: postroom.Hide("d"), Expires: noon.Add(time.Minute), Interval: time.Second}
	if _, err := p.client().Poll(ctx, p.app(), d); !errors.Is(err, context.Canceled) || errors.Is(err, ErrPending) {
		t.Errorf("error = %v", err)
	}
}
