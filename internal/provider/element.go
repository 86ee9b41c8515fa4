package provider

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"

	"golang.org/x/net/html/charset"
)

// An element is one of an XML document: its local name, attributes, text and what is in
// it. Namespaces are left out, since publishers spell them as they like.
type element struct {
	name  string
	attrs []xml.Attr
	text  string
	inner []*element
}

// The limits of an XML document. Settings have fewer than a hundred elements.
const (
	maxDepth    = 16
	maxElements = 2000
)

// readXML reads a document. Entities are those of XML itself: none that a document
// declares is resolved.
func readXML(text []byte) (*element, error) {
	d := xml.NewDecoder(bytes.NewReader(text))
	d.CharsetReader = charset.NewReaderLabel
	root := &element{}
	open := []*element{root}
	for count := 0; ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) && len(open) == 1 && len(root.inner) == 1 {
			return root.inner[0], nil
		}
		if err != nil {
			return nil, errNotSettings
		}
		within := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if count++; count > maxElements || len(open) > maxDepth {
				return nil, errNotSettings
			}
			e := &element{name: t.Name.Local, attrs: t.Attr}
			within.inner = append(within.inner, e)
			open = append(open, e)
		case xml.EndElement:
			within.text = strings.TrimSpace(within.text)
			open = open[:len(open)-1]
		case xml.CharData:
			within.text += string(t)
		}
	}
}

// all returns the elements of a name directly within e.
func (e *element) all(name string) (list []*element) {
	if e == nil {
		return nil
	}
	for _, inner := range e.inner {
		if inner.name == name {
			list = append(list, inner)
		}
	}
	return list
}

// child returns the first element of a name directly within e; nil: there is none.
func (e *element) child(name string) *element {
	for _, inner := range e.all(name) {
		return inner
	}
	return nil
}

// say returns the text of the first element of a name within e.
func (e *element) say(name string) string {
	if inner := e.child(name); inner != nil {
		return inner.text
	}
	return ""
}

func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}
