class Delivery < Formula
  desc "@SUMMARY@"
  homepage "@REPOSITORY@"
  version "@VERSION@"
  license any_of: ["MIT", "Apache-2.0"]

@PLATFORMS@
  def install
    libexec.install Dir["*"]
    bin.install_symlink libexec/"delivery"
    man1.install Dir[libexec/"share/man/man1/*"]
    generate_completions_from_executable(bin/"delivery", "completions")
  end

  test do
    assert_match version.to_s, shell_output("#{bin}/delivery --version")
  end
end
