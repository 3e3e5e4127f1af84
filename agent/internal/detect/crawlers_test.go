package detect

import (
	"net/netip"
	"testing"
)

// Crawlers are known by their networks; their neighbours, and fetchers that strangers can aim, are not.
func TestCrawlers(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]bool{
		"66.249.66.1": true, "2001:4860:4801:10::1": true, "2001:4860:4801:b6::1": true, // Google
		"157.55.39.7": true, "207.46.14.7": false, // Bing
		"17.241.75.9": true, "17.241.193.161": true, "17.241.193.1": false, "17.58.97.1": false, // Apple
		"66.249.83.33": false, "2001:4860:4801:2008::1": false, // Google, at anybody's request
	} {
		if got := isCrawler(netip.MustParseAddr(addr)); got != want {
			t.Errorf("%s is a crawler: %v, want %v", addr, got, want)
		}
	}
}
