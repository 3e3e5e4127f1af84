package messages

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// part is a piece of a format: a literal, alternatives, or a placeholder.
type part struct {
	choices []string // one literal, or alternatives; nil for a placeholder
	name    string   // of the placeholder
	most    int      // bytes of it that are written; 0 means all
}

// placeholders are those that any format may have.
var placeholders = []string{"addr", "host", "port", "endpoint", "user", "account", "text", "word", "count"}

func (p *part) controlled() bool {
	return slices.Contains([]string{"host", "user", "text", "word"}, p.name)
}

// parse cuts a format into its parts. A brace that is doubled stands for itself.
func parse(format string, values map[string][]string) ([]part, error) {
	var parts []part
	literal := func(text string) {
		if n := len(parts); n > 0 && parts[n-1].name == "" && len(parts[n-1].choices) == 1 {
			parts[n-1].choices[0] += text
		} else if text != "" {
			parts = append(parts, part{choices: []string{text}})
		}
	}
	for rest := format; rest != ""; {
		at := strings.IndexAny(rest, "{}")
		if at < 0 {
			literal(rest)
			break
		}
		literal(rest[:at])
		if brace := rest[at:]; strings.HasPrefix(brace, "{{") || strings.HasPrefix(brace, "}}") {
			literal(brace[:1])
			rest = brace[2:]
			continue
		}
		inner, after, closed := strings.Cut(rest[at+1:], "}")
		if rest[at] == '}' || !closed {
			return nil, fmt.Errorf("%q has an unmatched brace", format)
		}
		rest = after
		p, err := parsePlaceholder(inner, values)
		if err != nil {
			return nil, err
		}
		parts = append(parts, p)
	}
	if len(parts) == 0 {
		return nil, errors.New("format is missing")
	}
	return parts, nil
}

func parsePlaceholder(inner string, values map[string][]string) (part, error) {
	if strings.Contains(inner, "|") {
		return part{choices: strings.Split(inner, "|")}, nil
	}
	name, most, limited := strings.Cut(inner, ":")
	if list := values[name]; len(list) > 0 {
		return part{choices: slices.Clone(list)}, nil
	}
	p := part{name: name}
	if !slices.Contains(placeholders, name) {
		return p, fmt.Errorf("{%s} has no meaning: use one of %v, or give its values", inner, placeholders)
	}
	if limited {
		n, err := strconv.Atoi(most)
		if err != nil || n < 1 {
			return p, fmt.Errorf("{%s}: the number behind the colon must be positive", inner)
		}
		p.most = n
	}
	return p, nil
}
