package main

import (
	"bytes"
	_ "embed"
	"html/template"
)

//go:embed page.tmpl
var pageText string

var pageTemplate = template.Must(template.New("page").Parse(pageText))

// page is what the template shows.
type page struct {
	report
	Schemes  template.CSS
	Sections []shown
	Losses   table
	About    string
	Several  string
	NoLosses string
}

// shown is a section with its charts drawn.
type shown struct {
	section
	Pictures []picture
}

// picture is a chart on the page.
type picture struct {
	ID, Title string
	Notes     []string
	Legend    []key
	SVG       template.HTML // empty if nothing was measured
	Table     table
}

// key tells how a series is drawn.
type key struct {
	Name, Sign string
	Style      template.CSS
}

// html returns the page.
func (r report) html() ([]byte, error) {
	p := page{
		report:   r,
		Schemes:  template.CSS(schemes()),
		Losses:   lossesTable(r.Losses),
		About:    aboutFigures,
		Several:  severalSettings,
		NoLosses: noLosses,
	}
	for _, s := range r.Sections {
		drawn := shown{section: s}
		for _, c := range s.Charts {
			picture, err := c.picture()
			if err != nil {
				return nil, err
			}
			drawn.Pictures = append(drawn.Pictures, picture)
		}
		p.Sections = append(p.Sections, drawn)
	}
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, p)
	return text.Bytes(), err
}

func (c chart) picture() (picture, error) {
	p := picture{ID: c.id, Title: c.title, Notes: c.notes, Table: c.below}
	c = c.drawable()
	if len(c.series) == 0 {
		return p, nil
	}
	for i, l := range c.looks() {
		p.Legend = append(p.Legend, key{c.series[i].name, l.signText(c.kind), template.CSS("color:" + l.tone.css())})
	}
	svg, err := c.svg()
	p.SVG = template.HTML(svg)
	return p, err
}
