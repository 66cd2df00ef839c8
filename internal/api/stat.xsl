<?xml version="1.0" encoding="utf-8"?>
<!-- The stat page for people. It needs no script: open the stat location in a browser. -->
<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output method="html" encoding="utf-8" doctype-system="about:legacy-compat"/>

<xsl:template match="/rtmp">
<html lang="en">
<head>
<title>rtmpd</title>
<meta name="viewport" content="width=device-width"/>
<style>
:root { color-scheme: light dark }
body { font: 15px/1.45 system-ui, sans-serif; margin: 1.5em; max-width: 80em }
h1 { font-size: 1.3em; margin: 0 } h2 { font-size: 1.1em; margin: 1.6em 0 .4em }
p { margin: .2em 0; color: GrayText }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .25em .7em .25em 0; border-bottom: 1px solid #8884; vertical-align: top }
th { font-weight: 600; color: GrayText } .n { text-align: right; font-variant-numeric: tabular-nums }
details td { font-size: .9em } summary { cursor: pointer } .live { color: #2a9d3a } .advice { color: #c60 }
</style>
</head>
<body>
<h1><xsl:value-of select="nginx_version"/></h1>
<p>
up <xsl:call-template name="span"><xsl:with-param name="s" select="uptime"/></xsl:call-template>,
<xsl:value-of select="naccepted"/> connections so far,
in <xsl:call-template name="rate"><xsl:with-param name="b" select="bw_in"/></xsl:call-template>,
out <xsl:call-template name="rate"><xsl:with-param name="b" select="bw_out"/></xsl:call-template>
</p>
<xsl:apply-templates select="server/application[live]"/>
</body>
</html>
</xsl:template>

<xsl:template match="application">
<h2><xsl:value-of select="name"/></h2>
<xsl:if test="not(live/stream)"><p>no streams</p></xsl:if>
<xsl:if test="live/stream">
<table>
<tr>
<th>stream</th><th></th><th class="n">since</th><th>video</th><th>audio</th>
<th class="n">in</th><th class="n">out</th><th class="n">players</th><th class="n">viewers</th><th class="n">most</th>
</tr>
<xsl:apply-templates select="live/stream"/>
</table>
</xsl:if>
</xsl:template>

<xsl:template match="stream">
<tr>
<td><xsl:value-of select="name"/></td>
<td><xsl:choose>
<xsl:when test="active"><span class="live">live</span></xsl:when>
<xsl:when test="publishing">no media yet</xsl:when>
<xsl:otherwise>waiting</xsl:otherwise>
</xsl:choose></td>
<td class="n"><xsl:call-template name="span"><xsl:with-param name="s" select="floor(time div 1000)"/></xsl:call-template></td>
<td><xsl:for-each select="meta/video">
<xsl:value-of select="concat(codec, ' ', profile, ' ', width, '×', height, ' ', frame_rate, ' fps')"/>
</xsl:for-each></td>
<td><xsl:for-each select="meta/audio">
<xsl:value-of select="concat(codec, ' ', profile, ' ', sample_rate, ' Hz ', channels, ' ch')"/>
</xsl:for-each></td>
<td class="n"><xsl:call-template name="rate"><xsl:with-param name="b" select="bw_in"/></xsl:call-template></td>
<td class="n"><xsl:call-template name="rate"><xsl:with-param name="b" select="bw_out"/></xsl:call-template></td>
<td class="n"><xsl:value-of select="count(client[not(publishing)])"/></td>
<td class="n"><xsl:value-of select="viewers"/></td>
<td class="n"><xsl:value-of select="viewers_peak"/></td>
</tr>
<xsl:if test="client or finding">
<tr><td colspan="10">
<xsl:for-each select="finding"><div class="advice"><xsl:value-of select="."/></div></xsl:for-each>
<xsl:if test="client">
<details>
<summary><xsl:value-of select="count(client)"/> connected</summary>
<table>
<tr><th class="n">id</th><th>address</th><th>role</th><th class="n">since</th><th>client</th><th>page</th><th class="n">moved on</th></tr>
<xsl:for-each select="client">
<tr>
<td class="n"><xsl:value-of select="id"/></td>
<td><xsl:value-of select="address"/></td>
<td><xsl:choose><xsl:when test="publishing">publisher</xsl:when><xsl:otherwise>player</xsl:otherwise></xsl:choose></td>
<td class="n"><xsl:call-template name="span"><xsl:with-param name="s" select="floor(time div 1000)"/></xsl:call-template></td>
<td><xsl:value-of select="flashver"/></td>
<td><xsl:value-of select="pageurl"/></td>
<td class="n"><xsl:value-of select="dropped"/></td>
</tr>
</xsl:for-each>
</table>
</details>
</xsl:if>
</td></tr>
</xsl:if>
</xsl:template>

<!-- Seconds, as people say them. -->
<xsl:template name="span">
<xsl:param name="s"/>
<xsl:choose>
<xsl:when test="$s &gt;= 86400"><xsl:value-of select="concat(floor($s div 86400), ' d ', floor($s mod 86400 div 3600), ' h')"/></xsl:when>
<xsl:when test="$s &gt;= 3600"><xsl:value-of select="concat(floor($s div 3600), ' h ', floor($s mod 3600 div 60), ' min')"/></xsl:when>
<xsl:when test="$s &gt;= 60"><xsl:value-of select="concat(floor($s div 60), ' min ', $s mod 60, ' s')"/></xsl:when>
<xsl:otherwise><xsl:value-of select="concat($s, ' s')"/></xsl:otherwise>
</xsl:choose>
</xsl:template>

<!-- Bits a second. -->
<xsl:template name="rate">
<xsl:param name="b"/>
<xsl:choose>
<xsl:when test="$b &gt;= 1000000"><xsl:value-of select="concat(format-number($b div 1000000, '0.00'), ' Mb/s')"/></xsl:when>
<xsl:when test="$b &gt; 0"><xsl:value-of select="concat(format-number($b div 1000, '0'), ' kb/s')"/></xsl:when>
<xsl:otherwise>–</xsl:otherwise>
</xsl:choose>
</xsl:template>
</xsl:stylesheet>
