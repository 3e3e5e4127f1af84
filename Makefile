# PiAlert. `make` lists the targets; each is explained by the comment behind it.

VERSION  ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
PROGRAMS := agent display
PACKAGE  := github.com/pialert/pialert
LDFLAGS  := -s -w -X $(PACKAGE)/pkg/cli.Version=$(VERSION)
# How the agent spends its time in a scan, for the compiler; see profile. Go knows what it compiled by the profile's name.
PROFILE  := $(wildcard agent/scan-*.pgo)
GCFLAGS  := $(PACKAGE)/agent/...=-pgoprofile=$(PROFILE)
PROTOS   := pialert/v1/event.proto pialert/v1/delivery.proto pialert/v1/pairing.proto

export CGO_ENABLED := 0
# A Go that is too old fetches the one that go.mod names, also where a distribution says local.
export GOTOOLCHAIN ?= auto

# What the tests run against: program=Debian package.
NEEDS := sshd=openssh-server ssh=openssh-client sshpass=sshpass rsyslogd=rsyslog logger=bsdutils \
	apache2=apache2 curl=curl journalctl=systemd systemd-socket-activate=systemd logrotate=logrotate ip=iproute2 nft=nftables \
	unshare=util-linux sigrok-cli=sigrok-cli qemu-arm-static=qemu-user-static sudo=sudo \
	mmdebstrap=mmdebstrap lintian=lintian dpkg-deb=dpkg rpm=rpm man=man-db \
	dbus-daemon=dbus apt-ftparchive=apt-utils createrepo_c=createrepo-c gpg=gnupg dnf=dnf prometheus=prometheus \
	podman=podman runc=runc nats-server=nats-server aiosmtpd=python3-aiosmtpd postfix=postfix node=nodejs npm=npm \
	chromium=chromium fail2ban-server=fail2ban setpriv=util-linux openssl=openssl \
	/usr/share/doc/rsyslog-gnutls=rsyslog-gnutls busybox=busybox \
	/lib/systemd/systemd-journal-remote=systemd-journal-remote

.PHONY: help demo build test check fmt vet lint race cross proto rules docs packages images release mutate bench profile crash-test hostile case clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: build ## watch recorded attacks become light, in this terminal
	@go run ./packaging/demo -programs build -logs packaging/demo

build: ## both programs for this machine, in build/
	@tools/needgo
	@mkdir -p build
	go build -trimpath -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)' -o build/pialert-agent ./agent
	go build -trimpath -ldflags '$(LDFLAGS)' -o build/pialert-display ./display

test: ## every test; installs what they run against, or names it
	@tools/needgo
	@tools/need $(NEEDS)
	go test -timeout 20m ./...
	go -C test test -count=1 -timeout 20m ./...
	go -C tools test ./...

check: fmt vet lint proto docs case race cross ## what a change must pass besides the tests; leaves a clean tree clean
	@git diff --exit-code -- proto packaging docs go.mod go.sum test tools

fmt: ## fail if a file is not gofmt'd
	@files=$$(git ls-files '*.go' | xargs gofmt -l); [ -z "$$files" ] || { echo "not gofmt'd: $$files"; exit 1; }

vet: ## go vet
	go vet ./...
	go -C test vet ./...
	go -C tools vet ./...

lint: ## staticcheck, pinned in tools/go.mod
	cd tools && go build -o ../build/staticcheck honnef.co/go/tools/cmd/staticcheck
	build/staticcheck ./...
	cd test && ../build/staticcheck ./...

# SQLite, which is C made into Go, is not watched: its tests would take fifty times as long, and what it guards is not ours.
race: ## the tests under the race detector
	CGO_ENABLED=1 go test -race -gcflags='modernc.org/...=-race=false' -short -timeout 15m ./...

cross: ## both programs for every processor they are packaged for
	@for target in linux/amd64 linux/arm64 linux/arm/6; do \
		for program in $(PROGRAMS); do \
			echo "building pialert-$$program for $$target"; \
			GOOS=linux GOARCH=$$(echo $$target | cut -d/ -f2) GOARM=$$(echo $$target | cut -d/ -f3) \
				go build -trimpath -gcflags '$(GCFLAGS)' -ldflags '$(LDFLAGS)' -o build/$$target/pialert-$$program ./$$program || exit 1; \
		done; \
	done

proto: ## regenerate proto/ with the pinned plugins
	cd tools && go run ./protogen -root ../proto $(PROTOS)

crash-test: build ## kill both programs and change their keys at random moments, and compare the count with the truth
	@go -C test run ./crash -programs ../build

mutate: ## change the programs in small ways, and name each change that no test notices
	@go -C tools run ./mutate -root ..

bench: build ## measure what is promised, beside peers in the same run; see docs/benchmarks.md
	@go -C test run ./bench -programs ../build

profile: ## measure anew which calls of the agent the compiler should make cheap: agent/scan-*.pgo
	@mkdir -p build
	go test ./agent -run '^$$' -bench Scan -benchtime 5s -o build/agent.test -cpuprofile build/scan.pgo
	rm -f agent/scan-*.pgo
	mv build/scan.pgo agent/scan-$$(sha256sum build/scan.pgo | cut -c1-8).pgo

hostile: build ## strangers and lying peers at both programs for ten minutes, in memory cgroups; as root
	@ulimit -n 20000 && go -C test build -o ../build/hostile ./hostile && build/hostile -programs build

rules: ## the table of the built-in rules that programs have, from their YAML
	go test ./agent/internal/rule -run '^TestTable$$' -update

docs: rules build ## that table, what docs/detection.md says of the rules, the sample configurations, their manual pages, docs/configuration.md, the README's picture and those of the page, from the code
	go test ./agent ./display ./pkg/paircmd -run Documented -update
	go run ./display/internal/portrait docs
	go -C test run ./browser/pictures ../docs
	cd tools && go run ./confref -root .. -programs ../build

packages: ## .deb, .rpm and .tar.gz of both programs for amd64, arm64 and armhf, in dist/
	packaging/build

images: ## container images of both programs for amd64, arm64 and ARMv6, as OCI layouts in dist/images/
	packaging/images

release: ## packages, signed sums and a repository for apt and dnf; SSH_KEY=, GPG_KEY= and URL= say whose
	packaging/release -k "$(SSH_KEY)" -g "$(GPG_KEY)" -u "$(URL)"

case: ## render the printed case anew, if its model changed
	@cd packaging/case && if sha256sum --status -c case.scad.sha256 2>/dev/null; then \
		echo "the case is rendered from this model already"; \
	else \
		../../tools/need openscad=openscad admesh=admesh xvfb-run=xvfb && ./render . && sha256sum case.scad > case.scad.sha256; \
	fi

clean: ## remove build/ and dist/
	rm -rf build dist
