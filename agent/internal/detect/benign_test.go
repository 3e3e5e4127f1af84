package detect

import (
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"
)

// Words of benign sites. Those of the second list are what attackers ask for, too: articles,
// shops, manuals and searches may name all of them.
var (
	benignWords = strings.Fields(`about account actors admin-guide album alpine annual archive art article autumn backup-strategies
		bakery basket beach bicycle billing blue board book bread bridge budget calendar camera career castle category chair checkout
		cheese city classic cloud coffee collection comments community compare concert contact cooking core course cream customer
		dashboard data-sheet delivery design desk detail developer device document-management dog download dress druid education
		energy engine environment event exhibition family faq farm festival field film finance flower football forest forum free
		furniture galaxy gallery garden gift glass green group guide guitar handbook harbour health help history holiday home hotel
		hudson ideas image index information insurance interview island jacket jazz journal kitchen lake lamp landing language library
		light list login-problems magazine mailing-lists market meeting member menu model modern mountain museum music newsletter
		night notes ocean office open-data opera order organic outdoor page paper park partner people photo piano picture player
		poetry policy portal post press price print privacy product profile program project publication quality radio rain recipe
		register report research restaurant review river road roof room safety sailing sale school science sea season secret-garden
		service settings shell-collecting shoes shop signup silver ski social solar song spring station story street student summer
		support sweater table team telescope tennis terms theatre ticket toolbox tour town toy trade train travel tree tutorial union
		update upload user vacation version versions conversion valley vegetable video village vintage violin walk wallpaper watch water weather web-design wedding
		welcome wine winter women wood work world yellow yoga zebra zoo`)
	likeAttacks = strings.Fields(`etc-passwd etc/passwd explained-etc-shadow phpmyadmin-tutorial phpmyadmin-vs-adminer wp-config-explained
		union-select sql-injection select-from-where drop-table information_schema insert-into xss-explained javascript-alert
		document.cookie onload-event eval-is-evil base64_decode cmd.exe powershell bin-bash bin/sh-vs-bash win.ini boot.ini proc/self
		web-inf htaccess-guide env-files dotenv git-internals svn-to-git docker-compose.yml-explained id_rsa-permissions shellshock log4j
		jndi-lookup phpinfo-output cgi-bin-history server-status-page jenkins-pipeline tomcat-manager solr-search actuators actuator-design
		druid-classes telescope-mounts hudson-valley webmail-compared roundcube-review horde-of-orcs mails-and-males owa-tips grafana
		kibana-dashboards setup-php login-form config-files dump-trucks backup-drives shell-script webshells-explained c99-compiler
		nmap-manual sqlmap-howto nikto-review hydra-mythology masscan-speed hello-world php-input file-inclusion remote-file-inclusion
		directory-traversal null-byte waitfor-delay sleep-well benchmark-results order-by-clause char-encodings concat-strings md5-hash
		passthru-mode system-design exec-summary popen-manual curl-examples wget-mirror chmod-777 busybox dev/tcp tmp-folder`)
	benignNames = strings.Fields("id page p sort lang ref category color size year month filter view tab format limit offset from to utm_source utm_campaign fbclid v t hash token session type status name tag author order brand price_min price_max currency country city date time width height callback locale theme")
	benignTypes = strings.Fields("html htm php css js png jpg jpeg gif svg webp ico woff2 pdf txt xml json mp4 zip map aspx jsp")
	searchNames = strings.Fields("q s query search keyword term text")
)

func word(r *rand.Rand) string {
	if r.IntN(8) == 0 {
		return likeAttacks[r.IntN(len(likeAttacks))]
	}
	return benignWords[r.IntN(len(benignWords))]
}

// plainWord is one that no attacker asks for, for parameters that are no search.
func plainWord(r *rand.Rand) string { return benignWords[r.IntN(len(benignWords))] }

// benignPath makes paths of blogs, shops, manuals, wikis, media and interfaces.
func benignPath(r *rand.Rand) string {
	switch r.IntN(10) {
	case 0:
		return fmt.Sprintf("/%d/%02d/%02d/%s-%s/", 2005+r.IntN(20), 1+r.IntN(12), 1+r.IntN(28), word(r), word(r))
	case 1:
		return "/blog/" + word(r)
	case 2:
		return "/wiki/" + strings.ReplaceAll(url.PathEscape(strings.ToUpper(word(r)[:1])+word(r)), "%2F", "/")
	case 3:
		return "/shop/" + plainWord(r) + "/" + word(r) + "-" + fmt.Sprint(r.IntN(100000)) + ".html"
	case 4:
		return "/docs/" + fmt.Sprintf("v%d.%d", r.IntN(9), r.IntN(20)) + "/" + word(r) + "/" + plainWord(r)
	case 5:
		return "/api/v" + fmt.Sprint(1+r.IntN(4)) + "/" + plainWord(r) + "s/" + fmt.Sprint(r.IntN(1e6))
	case 6:
		return "/assets/" + plainWord(r) + "/" + plainWord(r) + "." + fmt.Sprintf("%08x", r.Uint32()) + "." + benignTypes[r.IntN(len(benignTypes))]
	case 7:
		return "/" + plainWord(r) + "/" + plainWord(r) + "." + benignTypes[r.IntN(len(benignTypes))]
	case 8:
		return "/" + plainWord(r) + "/" + url.PathEscape([]string{"über uns", "café", "日本語", "Ангара", "naïve", "a b c", "50% off", "c++", "q&a", "what's new?"}[r.IntN(10)])
	}
	return []string{"/", "/index.php", "/favicon.ico", "/robots.txt", "/sitemap.xml", "/feed/", "/wp-login.php", "/wp-admin/admin-ajax.php", "/wp-content/uploads/2024/05/cat.jpg",
		"/wp-includes/js/jquery/jquery.min.js", "/.well-known/acme-challenge/x1y2", "/.well-known/security.txt", "/apple-touch-icon.png", "/ads.txt", "/cart", "/login",
		"/user/login", "/javascript:void(0)", "/manifest.json", "/sw.js", "/humans.txt"}[r.IntN(21)]
}

// benignQuery makes queries: pages, filters, searches, and the addresses of other pages.
func benignQuery(r *rand.Rand) string {
	switch r.IntN(5) {
	case 0:
		return ""
	case 1:
		return "?" + searchNames[r.IntN(len(searchNames))] + "=" + url.QueryEscape(strings.ReplaceAll(word(r)+" "+plainWord(r)+" "+word(r), "-", " "))
	case 2:
		name := []string{"url", "u", "redirect_uri", "return_to", "next", "ref", "share", "link", "continue", "image"}[r.IntN(10)]
		return "?" + name + "=" + url.QueryEscape("https://www.example.com/"+plainWord(r)+"/"+plainWord(r)+[]string{"", ".html", ".php", "?id=7", "/"}[r.IntN(5)])
	}
	var pairs []string
	for range 1 + r.IntN(4) {
		value := []string{plainWord(r), fmt.Sprint(r.IntN(10000)), fmt.Sprintf("%x", r.Uint64()), "de-DE", "2024-05-01T12:00:00Z", "1,2,3", "a.b", "-1", "true", ""}[r.IntN(10)]
		pairs = append(pairs, benignNames[r.IntN(len(benignNames))]+"="+url.QueryEscape(value))
	}
	return "?" + strings.Join(pairs, "&")
}

// What benign visitors ask for is no attack, whatever it is about and whether it is there or not.
func TestBenignRequests(t *testing.T) {
	t.Parallel()
	agents := []string{"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0", "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
		"curl/8.5.0", "python-requests/2.31.0", "Go-http-client/1.1", "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15", "git/2.43.0", "-",
		"Feedly/1.0 (+http://www.feedly.com/fetcher.html; 7 subscribers)", "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"}
	rules, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	run := newWebRun(t, rules)
	run.options.Floods = nil
	run.restart()
	r := rand.New(rand.NewPCG(1, 2))
	wrong := 0
	for i := range 100_000 {
		method, status := "GET", []int{200, 200, 200, 301, 304, 404, 404, 403}[r.IntN(8)]
		request := benignPath(r) + benignQuery(r)
		referer := "-"
		if r.IntN(3) == 0 {
			referer = "https://www.example.com" + benignPath(r) + benignQuery(r)
		}
		stamp := time.Date(2026, 1, 1, 0, 0, i/10, 0, time.UTC).Format("02/Jan/2006:15:04:05 -0700")
		line := fmt.Sprintf(`192.0.2.7 - - [%s] "%s %s HTTP/1.1" %d 512 "%s" "%s"`, stamp, method, request, status, referer, agents[r.IntN(len(agents))])
		if status == 404 && strings.HasPrefix(request, "/wp-") {
			continue // a site without WordPress
		}
		before := len(run.events)
		run.feed("access.log", line)
		if path, _, _ := strings.Cut(request, "?"); status == 404 { // what the error logs of Apache and nginx say of it
			run.feed("error.log", fmt.Sprintf("[Thu Jan 01 00:00:00.5 2026] [core:info] [pid 1] [client 192.0.2.7:99] AH00128: File does not exist: /var/www/html%s", path))
			run.feed("nginx.log", fmt.Sprintf(`2026/01/01 00:00:00 [error] 1#1: *1 open() "/srv/www%s" failed (2: No such file or directory), client: 192.0.2.7, server: s, request: "GET %s HTTP/1.1", host: "h"`, path, request))
		}
		for _, ev := range run.events[before:] {
			if wrong++; wrong <= 20 {
				t.Errorf("%s counts %s", ev.Rule, line)
			}
		}
	}
	if wrong > 20 {
		t.Errorf("%d benign requests count", wrong)
	}
}

// Requests of benign programs that look like an attacker's, or that a server refuses for a while.
func TestBenignPrograms(t *testing.T) {
	t.Parallel()
	run := newWebRun(t, builtinRules(t))
	run.options.Floods = nil
	run.restart()
	for _, request := range []string{
		"POST /autodiscover/autodiscover.xml 404", "GET /.well-known/autoconfig/mail/config-v1.1.xml 404", "GET /mail/config-v1.1.xml 404", // mail clients
		"GET /manager/html 401", "GET /owa/ 401", "GET /webmail/ 502", "GET /webmail/?_task=login 200", "GET /phpmyadmin/ 200", "GET /grafana/ 503", // of who runs them
		"GET /api/items?select=id,name&order=id.desc&price=gt.5 200", "GET /graphql?query=%7Buser(id:1)%7Bname%7D%7D 200", // interfaces
		"GET /odata/Products?$filter=contains(Name,'a')+and+Price+gt+5&$orderby=Name 200", "GET /solr-search?q=title:(a+OR+b) 200",
		"GET /feed?callback=jQuery3410001_1700000000000&_=1700000000001 200", "GET /x?filter%5Bprice%5D%5Bfrom%5D=10&sort=-price 200",
		"GET /index.php?title=Union_(set_theory)&action=edit 200", "GET /index.php?title=Special:Search&search=select+*+from+users 200",
		"GET /wiki/Talk:SQL_injection?oldid=17 200", "GET /questions/11227809/why-is-processing-a-sorted-array-faster 200", "GET /tag/c%2B%2B 404",
		"GET /group/project/-/raw/main/docker-compose.yml 200", "GET /group/project/-/blob/main/.gitlab-ci.yml 200", "GET /alice/dotfiles/raw/branch/master/.bashrc 200",
		"GET /alice/site.git/info/refs?service=git-upload-pack 200", "POST /alice/site.git/git-upload-pack 200", "GET /alice/site.git/info/refs?service=git-receive-pack 401",
		"GET /bucket/a%20b.pdf?X-Amz-Signature=0123456789abcdef&X-Amz-Expires=300 200", "GET /r?u=https%3A%2F%2Fwww.example.com%2Fa.php%3Fb%3D1 302",
		"GET /login?next=%2Fadmin%2F%3Fa%3D1 200", "GET /share?text=%3C3+this&url=https%3A%2F%2Fwww.example.com 200", "GET /a?name=O%27Reilly+%26+Sons 200",
		"GET /cdn-cgi/trace 404", "GET /wp-content/plugins/x/assets/style.css?ver=6.5 404", "GET /wp-content/uploads/2024/05/a.php.jpg 404",
		"GET /wp-includes/js/jquery/jquery.min.js?ver=3.7.1 200", "POST /wp-admin/admin-ajax.php 200", "GET /?p=17 301", "GET /?s=drop+table+lamp 200",
		"GET /javascript:history.back() 404", "GET /undefined 404", "GET /null 404", "GET /%7B%7Burl%7D%7D 404", "GET /images/../style.css 404", "GET /a//b///c.png 404",
		"PROPFIND /remote.php/dav/files/alice/ 207", "OPTIONS /api 204", "GET /status.php 200", "GET /ocs/v2.php/apps/notifications/api/v2/notifications 401",
		"GET /Microsoft-Server-ActiveSync?Cmd=Ping 401", "GET /_matrix/client/versions 404", "GET /.well-known/matrix/server 404", "GET /nodeinfo/2.0 404",
		"GET /i.php?/upload/2024/05/01/a.jpg 404", "GET /script/app.js 404", "GET /sdk/docs/start.html 404", "GET /manager/team 404", "GET /vpn/setup-guide 404",
	} {
		request, status := request[:len(request)-4], request[len(request)-3:]
		run.feed("access.log", `192.0.2.7 - - [01/Jan/2026:00:00:00 +0000] "`+request+` HTTP/1.1" `+status+` 5 "https://www.example.com/" "Mozilla/5.0 (X11; Linux x86_64)"`)
		for _, ev := range run.events {
			t.Errorf("%s counts %s %s", ev.Rule, request, status)
		}
		run.events = nil
	}
}
