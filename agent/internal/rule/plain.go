package rule

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// The built-in files are written in a small part of YAML: one key and value a line, rules indented
// by four columns, plain or single-quoted texts, and lists in brackets. Reading only that takes a
// tenth of a millisecond, where the YAML library would take most of a short scan's time. A test
// compares what both read.

// errPlain means that a line is not written in that part of YAML.
var errPlain = errors.New("it is none of the forms that built-in rules are written in")

// readPlain reads a built-in file without its examples.
func readPlain(text []byte) (file, error) {
	var f file
	var e *entry
	number, example := 0, false
	for line := range bytes.Lines(text) {
		number++
		rest := strings.TrimLeft(string(line), " ")
		indent := len(line) - len(rest)
		rest = strings.TrimRight(rest, "\n")
		if rest == "" || rest[0] == '#' || example && indent > 4 {
			continue
		}
		key, value, ok := strings.Cut(rest, ":")
		example = key == "match" || key == "no_match"
		switch {
		case !ok:
			return f, fmt.Errorf("line %d: %w", number, errPlain)
		case example && indent == 4, key == "rules" && indent == 0:
			continue
		case indent == 2 && strings.HasPrefix(key, "- "):
			e, key, indent = new(entry), key[2:], 4
			f.Rules = append(f.Rules, e)
		}
		err := errPlain
		if value = strings.TrimPrefix(value, " "); indent == 0 {
			err = f.set(key, value)
		} else if indent == 4 && e != nil {
			err = e.set(key, value)
		}
		if err != nil {
			return f, fmt.Errorf("line %d: key %q: %w", number, key, err)
		}
	}
	return f, nil
}

func (h *file) set(key, value string) error {
	switch key {
	case "type":
		return plainText(&h.Type, value)
	case "service":
		return plainText(&h.Service, value)
	case "tags":
		return plainList(&h.Tags, value)
	case "pam":
		return plainList(&h.PAM, value)
	case "join":
		return plainText(&h.Join, value)
	case "longest":
		return plainNumber(&h.Longest, value)
	case "root":
		return plainBool(&h.Root, value)
	}
	return errPlain
}

func (e *entry) set(key, value string) error {
	switch key {
	case "id":
		return plainText(&e.ID, value)
	case "kind":
		return plainText(&e.Kind, value)
	case "severity":
		return plainText(&e.Severity, value)
	case "type":
		return plainText(&e.Type, value)
	case "service":
		return plainText(&e.Service, value)
	case "tags":
		return plainList(&e.Tags, value)
	case "pam":
		return plainList(&e.PAM, value)
	case "join":
		return plainText(&e.Join, value)
	case "role":
		return plainText(&e.Role, value)
	case "pattern":
		return plainText(&e.Pattern, value)
	case "method":
		return plainText(&e.Method, value)
	case "reason":
		return plainText(&e.Reason, value)
	case "reporter":
		return plainText(&e.Reporter, value)
	case "defer":
		return plainBool(&e.Defer, value)
	case "longest":
		return plainNumber(&e.Longest, value)
	case "root":
		return plainBool(&e.Root, value)
	case "setuid":
		return plainList(&e.Setuid, value)
	case "in":
		return plainText(&e.In, value)
	case "methods":
		return plainList(&e.Methods, value)
	case "status":
		return plainNumbers(&e.Status, value)
	case "always":
		return plainBool(&e.Always, value)
	case "any_kind":
		return plainBool(&e.AnyKind, value)
	case "note":
		return plainText(&e.Note, value)
	}
	return errPlain
}

// cutPlain takes the text off the front of a value, up to the end or, in a list, to the next comma.
func cutPlain(value string, list bool) (text, rest string, err error) {
	if quoted, ok := strings.CutPrefix(value, "'"); ok {
		for i := 0; i < len(quoted); i++ {
			if quoted[i] != '\'' {
				continue
			}
			if i+1 < len(quoted) && quoted[i+1] == '\'' { // a quote within
				i++
				continue
			}
			return strings.ReplaceAll(quoted[:i], "''", "'"), quoted[i+1:], nil
		}
		return "", "", errPlain
	}
	end := len(value)
	if comma := strings.IndexByte(value, ','); list && comma >= 0 {
		end = comma
	}
	if comment := strings.Index(value[:end], " #"); comment >= 0 {
		end = comment
	}
	text, rest = strings.TrimRight(value[:end], " "), value[end:]
	if text == "" || strings.ContainsRune("\"[]{}&*!|>%@`?,#-~", rune(text[0])) || strings.Contains(text, ": ") {
		return "", "", errPlain // YAML may see more in it than a text
	}
	return text, rest, nil
}

func plainText[T ~string](to *T, value string) error {
	text, rest, err := cutPlain(value, false)
	if rest = strings.TrimLeft(rest, " "); err == nil && rest != "" && rest[0] != '#' {
		err = errPlain
	}
	*to = T(text)
	return err
}

func plainList(to *[]string, value string) error {
	inner, opened := strings.CutPrefix(value, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	if !opened || !closed {
		return errPlain
	}
	for {
		text, rest, err := cutPlain(inner, true)
		if err != nil {
			return err
		}
		if *to = append(*to, text); rest == "" {
			return nil
		}
		var ok bool
		if inner, ok = strings.CutPrefix(rest, ", "); !ok {
			return errPlain
		}
	}
}

func plainNumber(to *int, value string) error {
	var text string
	err := plainText(&text, value)
	if err == nil {
		*to, err = strconv.Atoi(text)
	}
	return err
}

func plainNumbers(to *[]uint16, value string) error {
	var texts []string
	if err := plainList(&texts, value); err != nil {
		return err
	}
	for _, text := range texts {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return err
		}
		*to = append(*to, uint16(n))
	}
	return nil
}

func plainBool(to *bool, value string) error {
	*to = value == "true"
	if !*to && value != "false" {
		return errPlain
	}
	return nil
}
