package provider

import (
	_ "embed"
	"fmt"

	"go.yaml.in/yaml/v3"
)

//go:embed glossary.yaml
var glossary string

// A Term is a word that people meet here, and what it means.
type Term struct {
	Word        string   `yaml:"word"`
	Meaning     string   `yaml:"meaning"` // a sentence or two
	AlsoKnownAs []string `yaml:"also"`    // what others call it
}

// Glossary returns the words, in alphabetical order.
func (p *Presets) Glossary() []Term {
	p.readTerms.Do(func() {
		if err := yaml.Unmarshal([]byte(glossary), &p.terms); err != nil {
			panic(fmt.Sprintf("glossary.yaml: %v", err))
		}
	})
	return p.terms
}
