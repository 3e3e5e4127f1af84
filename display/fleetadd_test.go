package main

import (
	"slices"
	"strings"
	"testing"
)

// A list of hosts is read as editors write it, each name once; every line that is no name is told at once.
func TestListsOfHosts(t *testing.T) {
	names, err := readNames(strings.NewReader("# all\n\nweb1\r\n  web2 # rack 3\nweb1\nweb3.example.org"), "-")
	if want := []string{"web1", "web2", "web3.example.org"}; err != nil || !slices.Equal(names, want) {
		t.Errorf("%q, %v; want %q", names, err, want)
	}
	_, err = readNames(strings.NewReader("web1\nno good name\nweb2\n../web3\n"), "-")
	if err == nil || !strings.Contains(err.Error(), "-:2:") || !strings.Contains(err.Error(), "-:4:") {
		t.Errorf("of two lines that are no names: %v", err)
	}
}
