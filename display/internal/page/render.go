package page

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/pialert/pialert/pkg/attack"
)

//go:embed assets/*.html
var templateFiles embed.FS

// templates are parsed once, for the first page; what they call is below.
var templates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"shown":   shown,
		"typed":   printable,
		"kind":    kindWords,
		"num":     number,
		"words":   func(name string) string { return strings.ReplaceAll(name, "_", " ") },
		"source":  sourcePath,
		"user":    func(name string) string { return "/user?user=" + url.QueryEscape(name) },
		"history": func(key, value string) string { return "/history?" + url.Values{key: {value}}.Encode() },
		"asset":   func(name string) string { return "/assets/" + name + "?v=" + assets().version },
		"join":    strings.Join,
		"list":    func(values ...any) []any { return values },
	}).ParseFS(templateFiles, "assets/*.html"))
})

// head is what every page has around what it shows.
type head struct {
	Title  string
	Here   string // the part of the menu that it belongs to
	Name   string // of the display
	Now    time.Time
	zone   *time.Location
	Search string
	Login  bool // somebody is logged in, so there is a way to log out
}

func (s *Server) head(r *http.Request, title, here string) head {
	return head{
		Name: s.options.Name, Title: title, Here: here, Login: s.sessions.has(r),
		Now: s.options.Now().In(s.options.Zone()), zone: s.options.Zone(),
	}
}

// Clock, Day and Moment write a time in the display's zone; the browser writes it anew as its
// owner is used to.
func (h head) Clock(t time.Time) template.HTML  { return h.time(t, "clock", time.TimeOnly) }
func (h head) Day(t time.Time) template.HTML    { return h.time(t, "day", time.DateOnly) }
func (h head) Moment(t time.Time) template.HTML { return h.time(t, "moment", "2006-01-02 15:04") }
func (h head) Second(t time.Time) template.HTML { return h.time(t, "second", time.DateTime) }

// Ago writes a time that the browser turns into how long ago that was.
func (h head) Ago(t time.Time) template.HTML { return h.time(t, "ago", "2006-01-02 15:04") }

func (h head) time(t time.Time, form, layout string) template.HTML {
	if t.IsZero() {
		return "never"
	}
	t = t.In(h.zone)
	return template.HTML(fmt.Sprintf(`<time datetime="%s" data-form="%s">%s</time>`, t.Format(time.RFC3339), form, t.Format(layout)))
}

// number writes a number that the browser writes anew as its owner is used to.
func number(n any) template.HTML {
	return template.HTML(fmt.Sprintf(`<data value="%d">%[1]d</data>`, n))
}

// kindWords is a kind's name as words.
func kindWords(kind attack.Kind) string { return strings.ReplaceAll(kind.String(), "_", " ") }

// render writes a template's page. It is made in memory first, so that an error makes no half
// page.
func (s *Server) render(w io.Writer, name string, view any) error {
	var b bytes.Buffer
	if err := templates().ExecuteTemplate(&b, name, view); err != nil {
		return err
	}
	if response, ok := w.(http.ResponseWriter); ok {
		response.Header().Set("Content-Type", "text/html; charset=utf-8")
	}
	_, err := b.WriteTo(w)
	return err
}
