// Package geo knows where addresses are, as far as databases in MaxMind's format (.mmdb) say that
// their owner has. It downloads nothing, and without a database it knows nothing.
//
// It reads the fields of GeoLite2, GeoIP2 and DB-IP (country.iso_code, autonomous_system_organization)
// and of IPinfo (country_code, as_name). What a database says is text of somebody else's, clipped to
// what a name may have.
package geo

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/oschwald/maxminddb-golang/v2"

	"github.com/pialert/pialert/pkg/attack"
)

// Place is where an address is; what is empty is unknown.
type Place struct {
	Country string // ISO 3166-1 code, two capital letters
	Network string // name of the operator
}

// Databases are open files. The methods are safe for concurrent use.
type Databases struct{ readers []*maxminddb.Reader }

// Open opens files, of which empty names are left out. The error names those that cannot be used; the others
// are. They are mapped into memory, so they must be replaced by renaming, as geoipupdate does.
func Open(paths ...string) (*Databases, error) {
	d := &Databases{}
	var problems []error
	for _, path := range paths {
		if path == "" {
			continue
		}
		reader, err := maxminddb.Open(path)
		if err != nil {
			problems = append(problems, fmt.Errorf("cannot use the database of addresses %s: %w", path, err))
			continue
		}
		d.readers = append(d.readers, reader)
	}
	return d, errors.Join(problems...)
}

// The fields that say a country and an operator, the better ones first.
var (
	countries = [][]any{{"country", "iso_code"}, {"registered_country", "iso_code"}, {"country_code"}, {"country"}}
	operators = [][]any{{"autonomous_system_organization"}, {"as_name"}, {"organization"}, {"isp"}}
)

// Place looks an address up in each database, until all is known.
func (d *Databases) Place(address netip.Addr) (place Place) {
	if !address.IsValid() {
		return place
	}
	for _, reader := range d.readers {
		found := reader.Lookup(address)
		if !found.Found() {
			continue
		}
		if place.Country == "" {
			if code := strings.ToUpper(first(found, countries)); isCode(code) {
				place.Country = code
			}
		}
		if place.Network == "" {
			place.Network = attack.Clip(first(found, operators), attack.MaxName)
		}
	}
	return place
}

// first returns the first of some fields that holds text.
func first(found maxminddb.Result, paths [][]any) string {
	for _, path := range paths {
		var text string
		if err := found.DecodePath(&text, path...); err == nil && text != "" {
			return text
		}
	}
	return ""
}

func isCode(text string) bool {
	return len(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' && text[1] >= 'A' && text[1] <= 'Z'
}

// Close closes the files. Nothing may be looked up afterwards.
func (d *Databases) Close() error {
	var problems []error
	for _, reader := range d.readers {
		problems = append(problems, reader.Close())
	}
	return errors.Join(problems...)
}
