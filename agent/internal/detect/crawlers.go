package detect

import "net/netip"

// crawlers are networks of search engines' own, as Google (googlebot.json), Bing (bingbot.json) and Apple
// (applebot.json) publish them. Nobody else can send from there, and no customer of theirs does.
var crawlers = []netip.Prefix{
	netip.MustParsePrefix("66.249.64.0/20"),
	netip.MustParsePrefix("2001:4860:4801::/48"),
	netip.MustParsePrefix("40.77.167.0/24"),
	netip.MustParsePrefix("52.167.144.0/24"),
	netip.MustParsePrefix("157.55.39.0/24"),
	netip.MustParsePrefix("207.46.13.0/24"),
	netip.MustParsePrefix("17.58.96.0/19"),
}

// isCrawler says whether an address is a search engine's, which asks for pages that are long gone.
func isCrawler(addr netip.Addr) bool {
	for _, network := range crawlers {
		if network.Contains(addr) {
			return true
		}
	}
	return false
}
