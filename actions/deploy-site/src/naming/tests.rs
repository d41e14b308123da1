use super::*;

/// What bundlers write, by the site that they make. Names in one site stand together, as neighbours are evidence.
const BUNDLED: [(&str, &[&str]); 15] = [
    (
        "webpack",
        &[
            "app.3f2a9c81.js",
            "main.073c9b0a.chunk.css",
            "vendor.5d41402abc4b2a76b9719d911017c592.js",
            "9a0364b9e99bb480dd25e1f0284c8555.js",
            "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881.js",
            "img/logo.82b9c7a5.png",
            "d2f0c1a9e8b7a6c5d4e3.png",
        ],
    ),
    (
        "Create React App",
        &[
            "static/js/main.1234abcd.js",
            "static/js/main.1234abcd.js.map",
            "static/js/787.abcdef12.chunk.js",
            "static/css/main.e6c13ad2.css",
            "static/media/logo.6ce24c58023cc2f8fd88fe9d219db6c6.svg",
        ],
    ),
    (
        "Vue",
        &[
            "js/app.0b2f3d7a.js",
            "js/chunk-vendors.c5f0e81b.js",
            "css/app.4cb9d9e0.css",
        ],
    ),
    (
        "Angular",
        &[
            "main-LZBJRJJE.js",
            "chunk-7D64JBQA.js",
            "polyfills-B6TNHZQ6.js",
            "styles-5INURTSO.css",
            "checkout-page-KQRXUVWA.js",
            "media/inter-latin-N4V2QGKZ.woff2",
        ],
    ),
    ("Angular with one file", &["browser/main-ABABABAB.js"]),
    (
        "Vite",
        &[
            "assets/index-BkX9d2Qa.js",
            "assets/index-DiwrgTda.css",
            "assets/login-DxV6W-Xk.js",
            "assets/browser-CmJKzrYf.js",
            "assets/vendor-B_2kq9Lw.js",
            "assets/browser-CmJKzrYf.js.map",
            "assets/logo-Cz1x_9Pq.svg",
        ],
    ),
    ("Vite with one file", &["assets/index-DiwrgTda.js"]),
    (
        "Rollup",
        &[
            "entry-C0xb81Kd.js",
            "lazy-BkX9d2Qa.js",
            "shared-CmJKzrYf.js",
        ],
    ),
    (
        "Nuxt",
        &[
            "_nuxt/BkX9d2Qa.js",
            "_nuxt/CmJKzrYf.js",
            "_nuxt/entry.Dl8s-kQp.css",
            "_nuxt/error-404.abcdefgh.css",
            "_nuxt/builds/meta/550e8400-e29b-41d4-a716-446655440000.json",
        ],
    ),
    (
        "SvelteKit",
        &[
            "_app/immutable/entry/start.CmJKzrYf.js",
            "_app/immutable/chunks/Diwrgtda.js",
            "_app/immutable/assets/0.BkX9d2Qa.css",
        ],
    ),
    (
        "Next.js",
        &[
            "_next/static/chunks/main-app-abcdefab.js",
            "_next/static/css/3f2a9c81aabbccdd.css",
            "_next/static/media/inter.p.woff2",
            "docs/_next/static/Xy/_buildManifest.js",
        ],
    ),
    (
        "Astro",
        &["_astro/hoisted.CmJKzrYf.js", "_astro/hero.Bxyz_1.webp"],
    ),
    (
        "Parcel",
        &[
            "index.2d4fd8a1.js",
            "index.7e8f9a1c.css",
            "hero.0c4e1f9b.jpg",
        ],
    ),
    (
        "Gatsby",
        &[
            "app-3f2a9c81aabb01cc42ee.js",
            "component---src-pages-index-js-0d1e2f3a4b5c6d7e8f90.js",
            "framework-4c1b2a9d8e7f60514233.js",
        ],
    ),
    (
        "a site of digests alone",
        &[
            "main-LZBJRJJE.js",
            "chunk-7D64JBQA.js",
            "login-DxV6W-Xk.js",
            "browser-CmJKzrYf.js",
            "BkX9d2Qa.js",
            "3f2a9c81aabbccdd.js",
        ],
    ),
];

/// What people, cameras and other programs write: by themselves, and among a bundler's files.
const WORDS: [&str; 61] = [
    "banner-Summer2024.jpg",
    "guide-Chapter01.pdf",
    "hero-iPhone15Pro.png",
    "hero-iPhone15.png",
    "hero-MacBookX.jpg",
    "hero-MacM2Pro.png",
    "photo-DSC00123.jpg",
    "photo-IMG_1234.jpg",
    "photo-IMG20240115.jpg",
    "photo-PXL_20230415_123456789.jpg",
    "photo-P1010123.jpg",
    "clip-GX010123.mp4",
    "clip-4K60fpsHDR.mp4",
    "report-20241231.pdf",
    "report.20241231.pdf",
    "report-2024-12-31.pdf",
    "log-20240115a.js",
    "report-550e8400-e29b-41d4-a716-446655440000.pdf",
    "photo-550e8400-e29b-41d4-a716-44665544ab00.jpg",
    "photo_550e8400-e29b-41d4-a716-44665544ab00.jpg",
    "invoice-507f1f77bcf86cd799439011.pdf",
    "photo-507f1f77bcf86cd799439011.jpg",
    "507f1f77bcf86cd799439011.jpg",
    "photo-0b5c3f1e9d8a4c2fb6e7d8c9a0b1c2d3.jpg",
    "d41d8cd98f00b204e9800998ecf8427e.pdf",
    "data-3f2a9c81.json",
    "video-dQw4w9WgXcQ.jpg",
    "icon-01ARZ3NDEKTSV4RRFFQ69G5FAV.png",
    "jquery-3.7.1.min.js",
    "bootstrap.5.3.0.css",
    "bootstrap-datepicker.js",
    "jquery-validate.js",
    "lib-DataGrid.js",
    "lib-TreeView.js",
    "defaced-facade.js",
    "meeting-face2face.jpg",
    "menu-cafe2024.css",
    "theme-decade80.css",
    "theme-darkBlue.css",
    "brochure-DOWNLOAD.pdf",
    "banner-DISCOUNT.jpg",
    "banner-SUMMER24.jpg",
    "banner-VERSION2.png",
    "song-MP3MUSIC.mp3",
    "water-H2OWATER.png",
    "messages-en-US-v2.js",
    "messages-zh-Hant-TW.js",
    "messages-en.v2beta1.js",
    "style.css",
    "sw.js",
    "ngsw-worker.js",
    "service-worker.js",
    "favicon.ico",
    "manifest.webmanifest",
    "robots.txt",
    "fonts/inter-v13-latin-regular.woff2",
    "maps/EPSG4326-World.png",
    "3f2a9c81aa",
    ".well-known/apple-app-site-association",
    "archive-1234567890.zip",
    "part-00001234.js",
];

/// Among scripts that Vite named, these would be taken for digests: no rule tells them apart.
const WORDS_ALONE: [&str; 2] = ["hero-iOS7iPad.png", "lib-OAuth2JS.js"];

#[test]
fn what_bundlers_name_by_its_content_is_kept() {
    let mut count = 0;
    for (bundler, names) in BUNDLED {
        let naming = Naming::of(&Immutable::Recognized, names.iter().copied());
        for name in names {
            assert!(naming.is_immutable(name), "{bundler}: {name}");
            count += 1;
        }
    }
    assert!(count >= 40, "{count}");
}

#[test]
fn words_dates_versions_and_ids_are_not_kept() {
    let alone = Naming::of(&Immutable::Recognized, WORDS.into_iter());
    for name in WORDS.iter().chain(&WORDS_ALONE) {
        assert!(!alone.is_immutable(name), "{name}");
    }
    // Copied as they are into folders that a bundler fills with its own.
    for (bundler, bundled) in &BUNDLED[..8] {
        for folder in ["", "assets/", "media/"] {
            let words: Vec<String> = WORDS.map(|name| format!("{folder}{name}")).to_vec();
            let names = words
                .iter()
                .map(String::as_str)
                .chain(bundled.iter().copied());
            let naming = Naming::of(&Immutable::Recognized, names);
            let kept: Vec<_> = words
                .iter()
                .filter(|name| naming.is_immutable(name))
                .collect();
            assert_eq!(kept, [] as [&String; 0], "{bundler}");
        }
    }
}

#[test]
fn nuxt_is_asked_for_its_newest_build() {
    let naming = Naming::of(&Immutable::Recognized, std::iter::empty());
    assert!(!naming.is_immutable("_nuxt/builds/latest.json"));
}

#[test]
fn patterns_overrule_names() {
    let immutable = Immutable::parse("assets/**, *.woff2,/js/*.js").unwrap();
    let naming = Naming::of(&immutable, ["app.3f2a9c81.js"].into_iter());
    let kept = |name| naming.is_immutable(name);
    assert!(kept("assets/a/b.png") && kept("a.woff2") && kept("js/x.js"));
    assert!(!kept("app.3f2a9c81.js") && !kept("fonts/a.woff2") && !kept("js/a/x.js"));
    let none = Naming::of(&Immutable::parse("none").unwrap(), std::iter::empty());
    assert!(!none.is_immutable("_nuxt/BkX9d2Qa.js"));
    for wrong in ["", "a,,b", "[a"] {
        assert_eq!(Immutable::parse(wrong), None, "{wrong}");
    }
}
