package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdx/v2/common"
	"github.com/spdx/tools-golang/spdx/v2/v2_3"
)

// unknown is SPDX's word for what is not asserted (clause 3 of its specification 2.3).
const unknown = "NOASSERTION"

func writeSPDX(out io.Writer, b bill) error {
	program := &v2_3.Package{
		PackageName: b.program, PackageSPDXIdentifier: "Package-program", PackageVersion: b.version,
		PackageDownloadLocation: unknown, PackageLicenseConcluded: "MIT", PackageLicenseDeclared: "MIT",
		PackageCopyrightText: unknown, PrimaryPackagePurpose: "APPLICATION",
		PackageExternalReferences: []*v2_3.PackageExternalReference{reference("pkg:golang/" + b.module + "@" + b.version)},
	}
	doc := &v2_3.Document{
		SPDXVersion: v2_3.Version, DataLicense: v2_3.DataLicense, SPDXIdentifier: "DOCUMENT",
		DocumentName:      b.program + "-" + b.version,
		DocumentNamespace: "https://" + b.module + "/spdx/" + b.program + "-" + b.version,
		CreationInfo: &v2_3.CreationInfo{
			Creators: []common.Creator{{CreatorType: "Tool", Creator: "pialert-sbom"}},
			Created:  b.date.Format(time.RFC3339),
		},
		Packages:      []*v2_3.Package{program},
		Relationships: []*v2_3.Relationship{relationship("DOCUMENT", common.TypeRelationshipDescribe, program)},
	}
	for i, p := range b.parts {
		module := &v2_3.Package{
			PackageName: p.name, PackageSPDXIdentifier: common.ElementID(fmt.Sprintf("Package-%d", i+1)), PackageVersion: p.version,
			PackageDownloadLocation: unknown, PackageLicenseConcluded: unknown, PackageLicenseDeclared: unknown,
			PackageCopyrightText: unknown, PrimaryPackagePurpose: "LIBRARY",
			PackageExternalReferences: []*v2_3.PackageExternalReference{reference(p.purl())},
		}
		if p.sum != "" {
			module.PackageChecksums = []common.Checksum{{Algorithm: common.SHA256, Value: p.sum}}
		}
		doc.Packages = append(doc.Packages, module)
		doc.Relationships = append(doc.Relationships, relationship(program.PackageSPDXIdentifier, common.TypeRelationshipDependsOn, module))
	}
	return json.Write(doc, out, json.Indent("  "))
}

func reference(purl string) *v2_3.PackageExternalReference {
	return &v2_3.PackageExternalReference{
		Category: common.CategoryPackageManager, RefType: common.TypePackageManagerPURL, Locator: purl,
	}
}

func relationship(from common.ElementID, how string, to *v2_3.Package) *v2_3.Relationship {
	return &v2_3.Relationship{
		RefA:         common.DocElementID{ElementRefID: from},
		RefB:         common.DocElementID{ElementRefID: to.PackageSPDXIdentifier},
		Relationship: how,
	}
}
