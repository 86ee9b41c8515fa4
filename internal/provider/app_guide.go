package provider

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

// appGuides leads to registrations, step by step. Each entry begins with the providers
// that it is for.
//
//go:embed app_guides.yaml
var appGuides string

// An AppGuide leads an administrator to a registration at a provider, step by step.
type AppGuide struct {
	Provider, ProviderID string
	Ways                 []AppWay // one for each kind of registration, the usual one first
}

// An AppWay is one way to register an app at a provider, for one kind of it.
type AppWay struct {
	ID    string // such as sign_in, or service_account
	Kind  postroom.AppKind
	Title string
	// When says when to choose this way, a sentence.
	When  string
	Steps []AppStep
	// Notes are what saves people hours: limits, approvals, what ends it.
	Notes []string
}

// An AppStep is one thing to do. What it says may hold {redirect}, which stands for the
// address that browsers come back to.
type AppStep struct {
	ID, Title, Text string
	// Copy are what is to be entered there letter by letter.
	Copy    []string
	Field   string // of the registration here, as the API names it, that the step is about; empty: none
	Link    postroom.Link
	Checked time.Time     // the day it was last compared with the provider's page; zero: never
	Source  postroom.Link // that page
}

// An appGuideText is an entry of app_guides.yaml.
type appGuideText struct {
	For  string `yaml:"for"`
	Who  string `yaml:"who"`
	Ways []struct {
		ID      string           `yaml:"id"`
		Kind    postroom.AppKind `yaml:"kind"`
		Only    string           `yaml:"only"` // of the entry's providers; empty: all
		Title   string           `yaml:"title"`
		When    string           `yaml:"when"`
		Checked time.Time        `yaml:"checked"` // of the steps that do not say it themselves
		Source  linkText         `yaml:"source"`
		Steps   []appStepText    `yaml:"steps"`
		Notes   []string         `yaml:"notes"`
	} `yaml:"ways"`
}

type appStepText struct {
	ID        string   `yaml:"id"`
	Title     string   `yaml:"title"`
	Text      string   `yaml:"text"`
	Copy      []string `yaml:"copy"`
	Field     string   `yaml:"field"`
	Link      linkText `yaml:"link"`
	Source    linkText `yaml:"source"`
	Unchecked bool     `yaml:"unchecked"` // it has not been compared, although the way has
}

// portals are where the apps of Microsoft's clouds are looked after
// (learn.microsoft.com: National clouds).
var portals = map[string]string{
	"microsoft365": "https://entra.microsoft.com/", "microsoft365_gcc_high": "https://portal.azure.us/",
	"microsoft365_dod": "https://portal.azure.us/", "microsoft365_china": "https://portal.azure.cn/",
}

// AppGuide returns how to register an app at a provider, or at one that is not known
// ([postroom.GenericProvider]); ok is false where nothing is known about that.
func (p *Presets) AppGuide(providerID string) (g AppGuide, ok bool) {
	for _, text := range p.appGuideTexts() {
		if !slices.Contains(strings.Split(text.For, ", "), providerID) {
			continue
		}
		g := AppGuide{Provider: text.Who, ProviderID: providerID}
		for _, way := range text.Ways {
			if way.Only != "" && way.Only != providerID {
				continue
			}
			w := AppWay{ID: way.ID, Kind: way.Kind, Title: way.Title, When: way.When, Notes: way.Notes}
			for _, step := range way.Steps {
				w.Steps = append(w.Steps, step.step(providerID, way.Checked, way.Source))
			}
			g.Ways = append(g.Ways, w)
		}
		return g, len(g.Ways) > 0
	}
	return AppGuide{}, false
}

func (t appStepText) step(providerID string, checked time.Time, source linkText) AppStep {
	fill := strings.NewReplacer("{portal}", portals[providerID]).Replace
	s := AppStep{ID: t.ID, Title: t.Title, Text: t.Text, Copy: t.Copy, Field: t.Field}
	s.Link = postroom.Link{Words: t.Link.Words, URL: fill(t.Link.URL)}
	if t.Unchecked {
		return s
	}
	if t.Source.URL != "" {
		source = t.Source
	}
	s.Checked, s.Source = checked, postroom.Link{Words: source.Words, URL: source.URL}
	return s
}

// appGuideTexts reads app_guides.yaml, once. It is part of the program: where it cannot
// be read, nobody outside is to blame.
func (p *Presets) appGuideTexts() []appGuideText {
	p.readAppGuides.Do(func() {
		var file struct {
			Entries []appGuideText `yaml:"entries"`
		}
		if err := yaml.Unmarshal([]byte(appGuides), &file); err != nil {
			panic(fmt.Sprintf("app_guides.yaml: %v", err))
		}
		p.appGuides = file.Entries
	})
	return p.appGuides
}
