package config

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
)

// Secret is a value that is shown nowhere: printed, logged or written as YAML or JSON it is only said to
// be there. The program gets it by Reveal.
type Secret string

const hidden = "(not shown)"

// Reveal returns the value.
func (s Secret) Reveal() string { return string(s) }

func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// GoString is String, also for %#v.
func (s Secret) GoString() string { return s.String() }

// MarshalText is String, for JSON and logs.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalYAML is String.
func (s Secret) MarshalYAML() (any, error) { return s.String(), nil }

// holdsSecret says whether a value of a type is a secret or may have one below it.
func holdsSecret(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice:
		return holdsSecret(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if holdsSecret(t.Field(i).Type) {
				return true
			}
		}
	}
	return t == reflect.TypeFor[Secret]()
}

// maxSecret bounds a secret's file, in bytes.
const maxSecret = 4096

// ReadSecret reads a secret of one line from a file, without the white space around it. A file that
// everybody on the machine can read is refused. A name without a folder is that of a credential that
// systemd hands over (systemd.exec(5), LoadCredential=).
func ReadSecret(path string) (Secret, error) {
	if folder := os.Getenv("CREDENTIALS_DIRECTORY"); folder != "" && !strings.Contains(path, "/") {
		path = filepath.Join(folder, path)
	}
	file, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("cannot read the secret: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return "", fmt.Errorf("cannot read the secret: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", fmt.Errorf("everybody can read the secret in %s (mode %04o): run chmod o= %[1]s", path, info.Mode().Perm())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxSecret+1))
	switch {
	case err != nil:
		return "", fmt.Errorf("cannot read the secret: %w", err)
	case len(text) > maxSecret:
		return "", fmt.Errorf("the secret in %s is longer than %d bytes", path, maxSecret)
	}
	secret := strings.TrimSpace(string(text))
	if secret == "" || strings.ContainsAny(secret, "\r\n\x00") {
		return "", fmt.Errorf("cannot read the secret: %s must hold one line", path)
	}
	return Secret(secret), nil
}

// ErrTwoSecrets says that a secret is given both in the configuration and in a file.
var ErrTwoSecrets = errors.New("give the secret here or in a file, not both")

// SecretFrom returns the secret that is given, or reads it from a file if one is named.
func SecretFrom(given Secret, path string) (Secret, error) {
	switch {
	case path == "":
		return given, nil
	case given != "":
		return "", ErrTwoSecrets
	}
	return ReadSecret(path)
}
