package detect

import "net/netip"

// crawlers are networks of search engines' own, out of what the engines publish of their crawlers:
// Google (developers.google.com/search/apis/ipranges/googlebot.json), Bing (www.bing.com/toolbox/bingbot.json)
// and Apple (search.developer.apple.com/applebot.json). Nobody else sends from there: fetchers that anybody can
// aim at a page have networks of their own, such as 66.249.83.32/27 and 2001:4860:4801:2008::/64 in Google's
// user-triggered-fetchers-google.json. The lists change; what is missing here is judged as everybody else.
var crawlers = []netip.Prefix{
	netip.MustParsePrefix("66.249.64.0/20"),
	netip.MustParsePrefix("2001:4860:4801::/56"),

	netip.MustParsePrefix("40.77.167.0/24"),
	netip.MustParsePrefix("52.167.144.0/24"),
	netip.MustParsePrefix("157.55.39.0/24"),
	netip.MustParsePrefix("207.46.13.0/24"),

	netip.MustParsePrefix("17.22.237.0/24"),
	netip.MustParsePrefix("17.22.245.0/24"),
	netip.MustParsePrefix("17.22.253.0/24"),
	netip.MustParsePrefix("17.241.75.0/24"),
	netip.MustParsePrefix("17.241.193.160/27"),
	netip.MustParsePrefix("17.241.200.160/27"),
	netip.MustParsePrefix("17.241.208.160/27"),
	netip.MustParsePrefix("17.241.219.0/24"),
	netip.MustParsePrefix("17.241.227.0/24"),
	netip.MustParsePrefix("17.246.15.0/24"),
	netip.MustParsePrefix("17.246.19.0/24"),
	netip.MustParsePrefix("17.246.23.0/24"),
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
