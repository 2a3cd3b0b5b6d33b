package csaf

import "github.com/stella-ops/stella/internal/csaf/shape"

// productTree is the rule for the product tree of CSAF 2.0.
func productTree() *shape.Rule {
	name := fullProductName()
	return atLeast(1, shape.Struct(members{
		"branches":           branches(name),
		"full_product_names": shape.List(name),
		"product_groups": shape.List(shape.Struct(members{
			"group_id":    groupID,
			"product_ids": shape.Set(2, productID),
			"summary":     text,
		}, "group_id", "product_ids")),
		"product_paths": only21,
		"relationships": shape.List(shape.Struct(members{
			"category":                     shape.OneOf("default_component_of", "external_component_of", "installed_on", "installed_with", "optional_component_of"),
			"full_product_name":            name,
			"product_reference":            productID,
			"relates_to_product_reference": productID,
		}, "category", "full_product_name", "product_reference", "relates_to_product_reference")),
	}))
}

// branches is the rule for branches at any level; a branch has a category, a
// name, and either further branches or a product.
func branches(name *shape.Rule) *shape.Rule {
	list := shape.List(nil)
	list.Items = atLeast(3, shape.Struct(members{
		"branches": list,
		"category": shape.OneOf("architecture", "host_name", "language", "legacy", "patch_level", "product_family", "product_name",
			"product_version", "product_version_range", "service_pack", "specification", "vendor"),
		"name":    text,
		"product": name,
	}, "category", "name"))
	list.Items.Max = 3
	return list
}

func fullProductName() *shape.Rule {
	return shape.Struct(members{
		"name":                          text,
		"product_id":                    productID,
		"product_identification_helper": helper(),
	}, "name", "product_id")
}

func helper() *shape.Rule {
	hash := shape.Struct(members{"algorithm": text, "value": shape.Formatted(32, hashOK)}, "algorithm", "value")
	return atLeast(1, shape.Struct(members{
		"cpe": shape.Formatted(5, cpeOK),
		"hashes": shape.List(shape.Struct(members{
			"file_hashes": shape.List(hash),
			"filename":    text,
		}, "file_hashes", "filename")),
		"model_numbers":  shape.Set(1, text),
		"purl":           shape.Formatted(7, uriFormat, purlOK),
		"purls":          only21,
		"sbom_urls":      shape.List(uri),
		"serial_numbers": shape.Set(1, text),
		"skus":           shape.List(text),
		"x_generic_uris": shape.List(shape.Struct(members{"namespace": uri, "uri": uri}, "namespace", "uri")),
	}))
}
