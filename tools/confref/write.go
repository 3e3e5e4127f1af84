package main

import (
	"bytes"
	"fmt"
	"strings"

	"gopkg.in/yaml.v3"
)

// sample returns the commented configuration: prose behind "# ", keys behind "#".
func (p *program) sample() []byte {
	var out bytes.Buffer
	fmt.Fprintf(&out, "# Configuration of pialert-%[1]s. Everything here is a default and may stay as it is. To change a\n"+
		"# value, remove the # at the start of its line and of the keys that it belongs to.\n"+
		"# `pialert-%[1]s config check` says whether the file can be used, pialert-%[1]s.yaml(5) is its\n"+
		"# manual page, and `systemctl reload pialert-%[1]s` lets a change take effect.\n", p.short)
	for _, f := range p.fields {
		out.WriteString("\n" + wrap(f.text, "#", 98))
		sampleOf(&out, f, at(p.defaults, f.key), "#")
	}
	return out.Bytes()
}

func sampleOf(out *bytes.Buffer, f field, value *yaml.Node, margin string) {
	if len(f.fields) == 0 || f.list {
		for _, below := range f.fields {
			out.WriteString(wrap(below.key+": "+below.text, margin+"  #", 98))
		}
		for line := range strings.Lines(encoded(f.key, value)) {
			out.WriteString(margin + line)
		}
		return
	}
	fmt.Fprintf(out, "%s%s:\n", margin, f.key)
	for _, below := range f.fields {
		if below.text != "" {
			out.WriteString(wrap(below.text, margin+"  #", 98))
		}
		sampleOf(out, below, at(value, below.key), margin+"  ")
	}
}

// encoded returns a key with its value as YAML. What a list's elements leave empty is left out.
func encoded(key string, value *yaml.Node) string {
	if value.Kind == yaml.SequenceNode {
		for _, element := range value.Content {
			var full []*yaml.Node
			for i := 0; element.Kind == yaml.MappingNode && i < len(element.Content); i += 2 {
				if v := element.Content[i+1]; v.Value != "" || len(v.Content) > 0 {
					full = append(full, element.Content[i], v)
				}
			}
			if full != nil {
				element.Content, element.Style = full, yaml.FlowStyle
			}
		}
	}
	var text bytes.Buffer
	encoder := yaml.NewEncoder(&text)
	encoder.SetIndent(2)
	encoder.Encode(map[string]*yaml.Node{key: value})
	return text.String()
}

// wrap breaks a paragraph into lines of at most width behind a prefix.
func wrap(text, prefix string, width int) string {
	var out strings.Builder
	line := prefix
	for _, word := range strings.Fields(text) {
		if len(line)+1+len(word) > width && line != prefix {
			out.WriteString(line + "\n")
			line = prefix
		}
		line += " " + word
	}
	return out.String() + line + "\n"
}

const pageHead = `# Configuration

Both programs run without a configuration. What they read is YAML: a key that is unknown or given
twice, or a value of the wrong type, is refused with file, line and column, and the program does
not start. ` + "`config check`" + ` says whether a file can be used, ` + "`config show`" + ` prints what is in force, and
` + "`systemctl reload`" + ` (SIGHUP) takes a changed file over; if it cannot be used, the old one stays and the
log says why. Sizes are written as ` + "`64MiB`" + `, spans as ` + "`30s`, `5m` or `7d`" + `.

This page is made from the code by ` + "`make docs`" + `.
`

func (p *program) writeTable(out *bytes.Buffer) {
	fmt.Fprintf(out, "\n## pialert-%[1]s: /etc/pialert/%[1]s.yaml\n\n| key | default | meaning |\n|---|---|---|\n", p.short)
	p.each(func(path string, f field, byDefault string) {
		if byDefault != "" {
			byDefault = "`" + byDefault + "`"
		}
		fmt.Fprintf(out, "| `%s` | %s | %s |\n", path, byDefault, strings.ReplaceAll(f.text, "|", "\\|"))
	})
}

func (p *program) man() []byte {
	roff := strings.NewReplacer("\\", "\\\\", "-", "\\-", "'", "\\(aq")
	var out bytes.Buffer
	fmt.Fprintf(&out, ".TH PIALERT\\-%[1]s.YAML 5 \"\" PiAlert PiAlert\n.SH NAME\npialert\\-%[2]s.yaml \\- configuration of pialert\\-%[2]s\n"+
		".SH SYNOPSIS\n/etc/pialert/%[2]s.yaml\n.SH DESCRIPTION\nA YAML file. Every key has a default. A key that is unknown or given twice, "+
		"or a value of the wrong type, is refused with its line.\n\\fBpialert\\-%[2]s config check\\fR says whether the file can be used,\n"+
		"\\fBpialert\\-%[2]s config show\\fR prints what is in force,\nand \\fBsystemctl reload pialert\\-%[2]s\\fR lets a change take effect.\n"+
		"Sizes are written as 64MiB, spans as 30s, 5m or 7d.\n.SH KEYS\n", strings.ToUpper(p.short), p.short)
	p.each(func(path string, f field, byDefault string) {
		fmt.Fprintf(&out, ".TP\n\\fB%s\\fR\n\\&%s\n", roff.Replace(path), roff.Replace(f.text))
		if byDefault != "" {
			fmt.Fprintf(&out, "Default: %s.\n", roff.Replace(byDefault))
		}
	})
	fmt.Fprintf(&out, ".SH SEE ALSO\n\\fBpialert\\-%s\\fR(1)\n", p.short)
	return out.Bytes()
}

// each visits every key in order, with its path and, in short, its default.
func (p *program) each(visit func(path string, f field, byDefault string)) {
	var walk func(prefix string, fields []field, values *yaml.Node)
	walk = func(prefix string, fields []field, values *yaml.Node) {
		for _, f := range fields {
			value := at(values, f.key)
			byDefault := brief(value)
			if prefix+f.key == "name" {
				byDefault = "" // the host's, which its text says
			}
			visit(prefix+f.key, f, byDefault)
			switch {
			case f.list:
				walk(prefix+f.key+"[].", f.fields, nil)
			default:
				walk(prefix+f.key+".", f.fields, value)
			}
		}
	}
	walk("", p.fields, p.defaults)
}

// brief is a default in a few words; nothing for what has keys of its own.
func brief(value *yaml.Node) string {
	switch {
	case value == nil || value.Kind == yaml.MappingNode:
		return ""
	case value.Kind == yaml.SequenceNode && len(value.Content) == 0:
		return "[]"
	case value.Kind == yaml.SequenceNode:
		return fmt.Sprintf("%d, as in the sample", len(value.Content))
	case value.Value == "":
		return `""`
	}
	return value.Value
}
