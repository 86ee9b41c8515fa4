package provider

import (
	"fmt"
	"regexp"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

// A presetText is a provider as providers.yaml writes it. "unknown" means that
// there is no source, "none" that it is not offered.
type presetText struct {
	ID             string   `yaml:"id"`
	Name           string   `yaml:"name"`
	Kind           string   `yaml:"kind"`
	Status         string   `yaml:"status"`
	Domains        []string `yaml:"domains"`
	DomainPatterns []string `yaml:"domain_patterns"`
	MX             []string `yaml:"mx"`
	Hosts          []string `yaml:"hosts"`
	Servers        struct {
		IMAP maybe[[]serverText] `yaml:"imap"`
		POP3 maybe[[]serverText] `yaml:"pop3"`
		SMTP maybe[[]serverText] `yaml:"smtp"`
	} `yaml:"servers"`
	Username struct {
		Form string `yaml:"form"`
		SMTP string `yaml:"smtp"`
	} `yaml:"username"`
	Auth struct {
		Password    useText `yaml:"password"`
		AppPassword useText `yaml:"app_password"`
		OAuth2      useText `yaml:"oauth2"`
	} `yaml:"auth"`
	OAuth       maybe[oauthText] `yaml:"oauth"`
	AppPassword struct {
		Exists     string `yaml:"exists"`
		Needs      string `yaml:"needs"`
		CreateURL  string `yaml:"create_url"`
		HelpURL    string `yaml:"help_url"`
		Format     string `yaml:"format"`
		Regex      string `yaml:"regex"`
		Separators string `yaml:"separators_matter"`
		Normalise  string `yaml:"normalise"`
		EndsWhen   string `yaml:"ends_when"`
	} `yaml:"app_password"`
	EnableFirst maybe[enableText] `yaml:"enable_first"`
	Verified    string            `yaml:"verified"`
}

type serverText struct {
	Host string             `yaml:"host"`
	Port int                `yaml:"port"`
	TLS  postroom.TLSPolicy `yaml:"tls"`
}

type useText struct {
	Use  string `yaml:"use"`
	Note string `yaml:"note"`
}

type oauthText struct {
	Authorize string `yaml:"authorize"`
	Token     string `yaml:"token"`
	Device    string `yaml:"device"`
	Revoke    string `yaml:"revoke"`
	Issuer    string `yaml:"issuer"`
	Scopes    struct {
		IMAP maybe[[]string] `yaml:"imap"`
		POP3 maybe[[]string] `yaml:"pop3"`
		SMTP maybe[[]string] `yaml:"smtp"`
	} `yaml:"scopes"`
	ExtraParams map[string]string `yaml:"extra_params"`
	SASL        []string          `yaml:"sasl"`
}

type enableText struct {
	IMAP  string `yaml:"imap"`
	POP   string `yaml:"pop"`
	SMTP  string `yaml:"smtp"`
	Where string `yaml:"where"`
	URL   string `yaml:"url"`
}

// A maybe is a value, or the word none or unknown in its place.
type maybe[T any] struct {
	Value T
	Given bool
}

func (m *maybe[T]) UnmarshalYAML(node *yaml.Node) error {
	if node.Kind == yaml.ScalarNode {
		if node.Value == "none" || node.Value == "unknown" {
			return nil
		}
		return fmt.Errorf("line %d: %q is neither none nor unknown", node.Line, node.Value)
	}
	m.Given = true
	return node.Decode(&m.Value)
}

// parseText reads one provider in full. It is part of the program: where it
// cannot be read, nobody outside is to blame.
func parseText(text string) presetText {
	var texts []presetText
	if err := yaml.Unmarshal([]byte(text), &texts); err != nil || len(texts) != 1 {
		panic(fmt.Sprintf("providers.yaml: %d providers, %v, in %q", len(texts), err, text))
	}
	return texts[0]
}

func parsePreset(text string) *Preset {
	t := parseText(text)
	p := t.preset()
	p.guides = sync.OnceValue(func() guideText { return guideFor(p.ID) })
	p.learn()
	return p
}

func (t *presetText) preset() *Preset {
	p := &Preset{
		ID: t.ID, Name: t.Name, Kind: t.Kind, Status: t.Status,
		Domains: t.Domains, Patterns: t.DomainPatterns, MX: t.MX, Hosts: t.Hosts,
		IMAP: servers(t.Servers.IMAP), POP3: servers(t.Servers.POP3), SMTP: servers(t.Servers.SMTP),
		LocalPartIsUser: t.Username.Form == "localpart",
		SendsAsAddress:  t.Username.SMTP == "email",
		AppPassword:     t.appPassword(),
		OAuth:           t.oauth(),
		Checked:         t.Verified,
	}
	p.EnableFirst = t.enableFirst(p)
	switch t.Auth.Password.Use {
	case "yes":
		p.TakesPassword = true
	case "partly":
		p.TakesPasswordToSend = true
	case "unknown": // a password that is refused does less harm than one that may not be tried
		p.TakesPassword = !p.AppPassword.Required && t.Auth.OAuth2.Use != "yes"
	}
	return p
}

// enableFirst says in words what the file says in a word. What is more than a word
// is said in knowledge.yaml.
func (t *presetText) enableFirst(p *Preset) EnableFirst {
	e := t.EnableFirst.Value
	words := func(what, state string) string {
		if state != "off" && state != "off by default" {
			return ""
		}
		return what + " is switched off at " + p.Called() + " until somebody switches it on in the settings of the mailbox."
	}
	return EnableFirst{
		IMAP: words("Reading by IMAP", e.IMAP), POP: words("Reading by POP3", e.POP), SMTP: words("Sending from a mail program", e.SMTP),
		Where: e.Where, URL: e.URL,
	}
}

// servers leaves out those that only discovery can name.
func servers(texts maybe[[]serverText]) []Server {
	var all []Server
	for _, s := range texts.Value {
		if !strings.Contains(s.Host, "{autodiscover}") {
			all = append(all, Server(s))
		}
	}
	return all
}

func (t *presetText) appPassword() AppPassword {
	a, use := t.AppPassword, t.Auth.AppPassword.Use
	wanted := use != "no" && use != "unknown"
	p := AppPassword{
		Offered:     wanted && (a.Exists == "yes" || a.Exists == "unknown"),
		Required:    wanted && t.Auth.Password.Use != "yes",
		WithTwoStep: use == "with_2fa",
		Needs:       given(a.Needs), MakeURL: given(a.CreateURL), HelpURL: given(a.HelpURL),
		Format: given(a.Format), Ends: given(a.EndsWhen),
	}
	if a.Regex != "" {
		p.Shape = regexp.MustCompile(a.Regex)
	}
	switch {
	case strings.HasPrefix(a.Separators, "enter "), a.Normalise == "none":
		p.Blanks = SeparatorsCount
	case strings.HasPrefix(a.Separators, "no "), strings.HasPrefix(a.Separators, "leave "), a.Normalise == "strip_whitespace":
		p.Blanks = SeparatorsShow
	}
	return p
}

func (t *presetText) oauth() *OAuth {
	use := t.Auth.OAuth2.Use
	if !t.OAuth.Given || use != "yes" && use != "restricted" {
		return nil
	}
	o := t.OAuth.Value
	scopes := map[postroom.Protocol][]string{}
	for protocol, of := range map[postroom.Protocol]maybe[[]string]{
		postroom.IMAP: o.Scopes.IMAP, postroom.POP3: o.Scopes.POP3, postroom.SMTP: o.Scopes.SMTP,
	} {
		if len(of.Value) > 0 {
			scopes[protocol] = of.Value
		}
	}
	return &OAuth{
		AuthorizeURL: given(o.Authorize), TokenURL: given(o.Token), DeviceURL: given(o.Device),
		RevokeURL: given(o.Revoke), Issuer: given(o.Issuer),
		Scopes: scopes, ExtraParams: o.ExtraParams, Mechanisms: o.SASL,
		Restricted: use == "restricted" || strings.Contains(t.Auth.OAuth2.Note, "approved apps"),
	}
}

// remark is what the collectors noted behind a value, for one another.
var remark = regexp.MustCompile(` *\((not re-verified|field reports|field sample|by naming)[^)]*\)`)

// given is a value, or nothing where there is no source for one.
func given(value string) string {
	if value == "unknown" || value == "none" {
		return ""
	}
	return remark.ReplaceAllString(value, "")
}
