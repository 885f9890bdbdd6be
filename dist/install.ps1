#requires -Version 5.1
# Finds or installs the ghswarm that this checkout was published with, on Windows (x86_64).
#
#     pwsh -File dist/install.ps1
#
# The contract is that of install.sh beside it: the same variables, the same order of sources and places, the same checks,
# the path of the program as the last line of stdout and as output `program`; on failure one message that says what to do,
# as an exception (so exit code 1), and nothing half-installed. An archive is a .zip here; curl.exe is the one of Windows.
Set-StrictMode -Version 3
$ErrorActionPreference = 'Stop'
$ProgressPreference = 'SilentlyContinue' # else drawing the bar takes longer than unpacking
$attempts = 3
$temporary = $null

function Get-Hash([string] $Path) { (Get-FileHash -Algorithm SHA256 -LiteralPath $Path).Hash.ToLowerInvariant() }

function Get-First([string[]] $Values) { $Values | Where-Object { $_ } | Select-Object -First 1 }

function Write-Notice([string] $Text) { [Console]::Error.WriteLine("ghswarm: $Text") }

# Runs the program once: what cannot run must not be found by a later step.
function Test-Program([string] $Path, [string] $Version) {
    try { $said = @(& $Path --version)[0] } catch { throw "$Path does not run here: $($_.Exception.Message)" }
    $wanted = "ghswarm $Version".TrimEnd()
    if ($LASTEXITCODE -ne 0 -or "$said " -notlike "$wanted *") { throw "$Path is not ${wanted}: it says '$said'" }
}

# The last thing that happens.
function Write-Program([string] $Path) {
    if ($env:GITHUB_OUTPUT) { [IO.File]::AppendAllText($env:GITHUB_OUTPUT, "program=$Path`n") }
    Write-Output $Path
}

# The first place that can be written to; what cannot run there shows when the program is tried.
function New-Temporary([string[]] $Places) {
    foreach ($place in $Places) {
        try {
            return (New-Item -ItemType Directory -Path (Join-Path $place ".install.$([Guid]::NewGuid())")).FullName
        } catch {
            Write-Notice "$place cannot be written to"
        }
    }
    throw 'no place for it can be written to: set RUNNER_TEMP to a directory for programs'
}

# Downloads in a few attempts and a bounded time. What curl's exit codes mean: https://curl.se/docs/manpage.html
function Save-Archive([string] $Url, [string] $Path, [long] $Size) {
    $limit = [int](Get-First $env:GHSWARM_INSTALL_TIMEOUT, '120')
    $deadline = (Get-Date).AddSeconds($limit)
    $meanings = @{
        5  = 'the proxy of https_proxy is not known (DNS)'; 6 = 'its host is not known (DNS)'
        7  = 'no connection: is the host, or the proxy of https_proxy, up?'; 18 = 'it was truncated'; 28 = 'it was too slow'
        22 = 'the server refused it: is the version released, does the mirror have it?'
        23 = 'it cannot be written: is the disk full?'; 52 = 'the connection ended early'
        56 = 'the connection ended early, or the proxy of https_proxy refused it'; 63 = 'it is larger than the archive'
    }
    for ($attempt = 1; ; $attempt++) {
        $left = [int][Math]::Floor(($deadline - (Get-Date)).TotalSeconds)
        if ($left -le 0) { throw "$Url did not arrive within $limit s: GHSWARM_INSTALL_TIMEOUT gives it more" }
        & curl.exe --fail --silent --show-error --location --max-redirs 5 --proto '=http,https' --globoff --connect-timeout 20 `
            --max-time $left --max-filesize $Size --stderr "$Path.errors" --output $Path $Url
        $code = $LASTEXITCODE
        if ($code -eq 0 -and (Get-Item -LiteralPath $Path).Length -eq $Size) { return }
        $said = @(Get-Content -LiteralPath "$Path.errors" -ErrorAction SilentlyContinue) -join ' '
        $why = if ($code -ne 0) { "$($meanings[$code]) ($said)" } else { "it does not have its $Size bytes: truncated, or something else" }
        if ($code -in 22, 23, 63 -and $said -notmatch ' (429|5\d\d)' -or $attempt -ge $attempts) { throw "${Url}: $why" }
        Start-Sleep -Seconds $attempt
    }
}

try {
    if ($env:PROCESSOR_ARCHITECTURE -ne 'AMD64') { throw "nothing is built for Windows on $env:PROCESSOR_ARCHITECTURE" }
    $target = 'x86_64-pc-windows-msvc'
    $manifest = Get-Content -Raw -LiteralPath (Join-Path $PSScriptRoot 'manifest.json') | ConvertFrom-Json
    $version = (Get-First $env:GHSWARM_VERSION, $manifest.version) -replace '^v', ''
    if ($version -notmatch '^[0-9A-Za-z+-][0-9A-Za-z.+-]*$') { throw "'$version' is no version such as 0.1.0" }
    $release = $manifest.releases.PSObject.Properties[$version]
    $entry = if ($release) { $release.Value.PSObject.Properties[$target] }
    $entry = if ($entry) { $entry.Value }

    $file = $env:GHSWARM_INSTALL_FILE
    if ($file) {
        if (-not (Test-Path -PathType Leaf -LiteralPath $file)) { throw "GHSWARM_INSTALL_FILE names no file: $file" }
        $file = (Resolve-Path -LiteralPath $file).ProviderPath
        $wanted = $env:GHSWARM_INSTALL_SHA256
        $hash = Get-Hash $file
        if ($wanted -and $hash -ne $wanted) { throw "$file has the SHA-256 $hash, and GHSWARM_INSTALL_SHA256 is $wanted" }
        if ($file -notlike '*.zip') {
            Test-Program $file ''
            Write-Program $file
            return
        }
        if ($entry -and $hash -ne $entry.sha256) {
            if (-not $wanted) {
                throw "$file has the SHA-256 $hash, and $version has $($entry.sha256): for a build of your own set GHSWARM_INSTALL_SHA256"
            }
            $entry = $null
        }
        if (-not $entry) { $version = 'local' }
    } elseif (-not $entry) {
        throw "there is no release $version for $target in dist/manifest.json: name one in GHSWARM_VERSION, or a program in GHSWARM_INSTALL_FILE"
    }

    $places = @(
        if ($env:RUNNER_TOOL_CACHE -and $version -ne 'local') { Join-Path $env:RUNNER_TOOL_CACHE "ghswarm\$version\x64" }
        if ($env:RUNNER_TEMP) { Join-Path $env:RUNNER_TEMP "ghswarm-install\$version\x64" }
        if ($env:LOCALAPPDATA) { Join-Path $env:LOCALAPPDATA "ghswarm\$version\x64" }
    )
    foreach ($place in $places) {
        $program = Join-Path $place 'ghswarm.exe'
        if ($entry -and (Test-Path -PathType Leaf -LiteralPath $program)) {
            if ((Get-Hash $program) -eq $entry.program_sha256) {
                Write-Program $program
                return
            }
            Write-Notice "$program is not what was installed there (damaged or changed): it is installed anew"
        }
    }

    $temporary = New-Temporary $places
    $archive = $file
    if (-not $file) {
        $url = $entry.url
        if ($env:GHSWARM_MIRROR) {
            $mirror = $env:GHSWARM_MIRROR
            if ($mirror -notmatch '^https?://[\w.~:/%+=,\[\]-]+$') { throw 'GHSWARM_MIRROR takes a URL without user, password and query' }
            $url = "$($mirror.TrimEnd('/'))/$($url.Split('/')[-1])"
        }
        $archive = Join-Path $temporary 'archive.zip'
        Save-Archive $url $archive $entry.size
        $hash = Get-Hash $archive
        if ($hash -ne $entry.sha256) { throw "$url has the SHA-256 $hash instead of $($entry.sha256): it is not what was published" }
    }
    Expand-Archive -LiteralPath $archive -DestinationPath (Join-Path $temporary 'unpacked')
    $unpacked = Get-ChildItem -Path (Join-Path $temporary 'unpacked') -Recurse -File -Filter 'ghswarm.exe' | Select-Object -First 1
    if (-not $unpacked) { throw "there is no ghswarm.exe in $archive" }
    if ($entry -and (Get-Hash $unpacked.FullName) -ne $entry.program_sha256) { throw 'dist/manifest.json has another hash for the program' }
    Test-Program $unpacked.FullName $(if ($entry) { $version } else { '' })
    $place = Split-Path -Parent $temporary
    $program = Join-Path $place 'ghswarm.exe'
    # A program that runs can be renamed here, not replaced. Another job may do the same at this moment.
    try {
        if (Test-Path -LiteralPath $program) { Move-Item -LiteralPath $program -Destination (Join-Path $temporary 'replaced.exe') }
        Move-Item -LiteralPath $unpacked.FullName -Destination $program
    } catch {
        if (-not $entry -or (Get-Hash $program) -ne $entry.program_sha256) { throw }
    }
    # By this the official tools know that a directory of the tool cache is whole.
    if ($env:RUNNER_TOOL_CACHE -and $place.StartsWith($env:RUNNER_TOOL_CACHE)) { $null = New-Item -ItemType File -Force -Path "$place.complete" }
    Write-Program $program
} finally {
    # Directories that were made for nothing stay: they are empty, and the next run uses them.
    if ($temporary) { Remove-Item -Recurse -Force -LiteralPath $temporary -ErrorAction SilentlyContinue }
}
