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
	Facts    table
	Losses   table
	Pictures []picture
	About    string
	NoLosses string
}

// picture is a chart on the page.
type picture struct {
	ID, Title string
	Notes     []string
	Legend    []key
	SVG       template.HTML // empty if nothing was measured
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
		Facts:    factsTable(r.Facts),
		Losses:   lossesTable(r.Losses),
		About:    aboutFigures,
		NoLosses: noLosses,
	}
	for _, c := range r.Charts {
		picture, err := c.picture()
		if err != nil {
			return nil, err
		}
		p.Pictures = append(p.Pictures, picture)
	}
	var text bytes.Buffer
	err := pageTemplate.Execute(&text, p)
	return text.Bytes(), err
}

func (c chart) picture() (picture, error) {
	p := picture{ID: c.id, Title: c.title, Notes: c.notes}
	c = c.drawable()
	if len(c.series) == 0 {
		return p, nil
	}
	others := 0
	for _, s := range c.series {
		l := lookOf(s.name, &others)
		p.Legend = append(p.Legend, key{s.name, l.signText(c.bars), template.CSS("color:" + l.tone.css())})
	}
	svg, err := c.svg()
	p.SVG = template.HTML(svg)
	return p, err
}
