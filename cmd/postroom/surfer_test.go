package main

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/html"
)

// A surfer is somebody with a browser that runs no scripts: it opens pages, and sends
// their first form.
type surfer struct {
	http *http.Client
	at   *url.URL
	page string
}

func newSurfer() (*surfer, error) {
	jar, err := cookiejar.New(nil)
	return &surfer{http: &http.Client{Jar: jar, Timeout: 20 * time.Second}}, err
}

func (s *surfer) open(address string) error { return s.seen(s.http.Get(address)) }

func (s *surfer) seen(answer *http.Response, err error) error {
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	s.at, s.page = answer.Request.URL, string(text)
	return err
}

// submit sends the first form of the page, with what it holds already and with pairs
// of names and values. It says whether there is one.
func (s *surfer) submit(pairs ...string) (ok bool, err error) {
	root, err := html.Parse(strings.NewReader(s.page))
	if err != nil {
		return false, err
	}
	form := find(root, "form")
	if form == nil {
		return false, nil
	}
	values := url.Values{}
	for input := range form.Descendants() {
		if input.Type == html.ElementNode && input.Data == "input" && (attribute(input, "type") != "checkbox" || has(input, "checked")) {
			values.Add(attribute(input, "name"), attribute(input, "value"))
		}
	}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	to, err := s.at.Parse(attribute(form, "action"))
	if err != nil {
		return true, err
	}
	return true, s.seen(s.http.PostForm(to.String(), values))
}

func find(root *html.Node, element string) *html.Node {
	for n := range root.Descendants() {
		if n.Type == html.ElementNode && n.Data == element {
			return n
		}
	}
	return nil
}

func has(n *html.Node, name string) bool {
	for _, a := range n.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

func attribute(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
