package weblog

import (
	"slices"

	"github.com/pialert/pialert/agent/internal/value"
)

// known are the formats that are recognised by their lines, the likely ones first. Where an
// identity (%l) could stand they ask for the - that all servers log since nobody runs identd: what
// stands there would be the client's, and could be taken for an address.
var known = compileAll(
	`%h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"`,       // combined
	`%v:%p %h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"`, // vhost_combined
	`%h - %u %t \"%r\" %>s %b`,                                          // common
	`%v %h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"`,
	`%v:%p %h - %u %t \"%r\" %>s %b`,
	`%v %h - %u %t \"%r\" %>s %b`,
	`%t [%v:%p] [client %h] \"%r\" %>s %b \"%{User-Agent}i\"`,
	// with more fields at the end
	`%h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %{more}n`,
	`%v:%p %h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %{more}n`,
	`%v %h - %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %{more}n`,
	`%h - %u %t %v \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"`,
	`%h - %u %t %v \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" %{more}n`,
	`%h - %u %t \"%r\" %>s %b %{more}n`,
	`%h %v %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\"`, // lighttpd (mod_accesslog.c)
)

func compileAll(logFormats ...string) []*Format {
	var formats []*Format
	for _, logFormat := range logFormats {
		f, err := CompileFormat(logFormat)
		if err != nil {
			panic(err) // of the list above, at start
		}
		formats = append(formats, f)
	}
	return formats
}

// Reader reads the access lines of one log. Its zero value recognises the common formats: a line is
// of the first one that it has, whatever the lines before it had.
type Reader struct {
	Formats []*Format // the formats to expect, nil for those that are recognised

	clients clients // of the combined format
}

// Access reads a line and reports whether it is one of an access log.
func (r *Reader) Access(line []byte, a *Access) bool {
	formats := r.Formats
	if formats == nil {
		if len(line) > 0 && line[0] == '{' {
			return a.JSON(line)
		}
		if r.combined(trimRight(line), a) {
			return true
		}
		formats = known
	}
	for _, f := range formats {
		if r.try(f, line, a) {
			return true
		}
	}
	return r.Formats == nil && a.HAProxy(line)
}

func (r *Reader) try(f *Format, line []byte, a *Access) bool {
	if !f.Parse(line, a) {
		return false
	}
	// An address as virtual host has to be configured. Taken on trust, a client's own address
	// would be the host, and what it says about itself the client.
	if r.Formats == nil && len(f.tokens) > 0 && f.tokens[0].field == vhost {
		_, isAddr := value.Addr(a.Host)
		return !isAddr
	}
	// The other way round only an address is a client: a name could be the virtual host of another format.
	if r.Formats == nil && len(f.tokens) > 2 && f.tokens[2].field == vhost {
		return a.Client.Addr.IsValid()
	}
	return true
}

// Names of the formats for a configuration.
var formatNames = map[string]string{"common": Common, "combined": Combined, "vhost_combined": VHostCombined}

// FormatNames lists the names that [NamedFormat] knows.
func FormatNames() []string {
	return []string{"common", "combined", "vhost_combined"}
}

// NamedFormat compiles one of Debian's formats by its name, or else a LogFormat string.
func NamedFormat(nameOrFormat string) (*Format, error) {
	if slices.Contains(FormatNames(), nameOrFormat) {
		nameOrFormat = formatNames[nameOrFormat]
	}
	return CompileFormat(nameOrFormat)
}
