package web

import (
	"github.com/a-h/templ"

	"github.com/postroom/postroom"
)

// A frame is what surrounds the content of every page.
type frame struct {
	Title string
	Place string // issues, mailboxes, health, alerts or settings
	Who   string // empty: nobody is signed in
	Admin bool
	// Live is the position after which the page listens for events; below 0 it
	// does not listen.
	Live   int64
	Notice *Notice // nil: there is none
	care   care
	assets *assets
}

// A Notice stands above every page for as long as it is true.
type Notice struct {
	Sentence, Remedy string
	Address, Button  string // where its button leads; empty: it has none
	Ahead            bool   // it is announced, not true yet

	isPost bool   // the button begins what it leads to
	alert  string // the alert that it is about; empty: none
	key    string // under which it is closed; empty: it stays
}

func (s *Server) frame(by visitor, title, place string) frame {
	f := frame{Title: title, Place: place, Who: by.Name, Admin: by.User != 0 && by.Role == postroom.RoleAdmin, Live: -1, care: by.care, assets: s.assets}
	if s.Notice != nil && f.Who != "" {
		f.Notice = s.Notice(f.Admin)
	}
	if f.Notice == nil {
		f.Notice = by.care.Banner
	}
	if f.Notice == nil && f.Admin {
		f.Notice = s.announced.notice(s.now())
	}
	return f
}

func (f frame) asset(name string) string { return f.assets.address[name] }

// link is an address of our own in a template.
func link(address string) templ.SafeURL { return templ.URL(address) }
